"""Trains a model with Lightning."""
