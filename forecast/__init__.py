"""LSTM forecasting of many series: tables to panel to windows to forecasts; starts no jobs."""
