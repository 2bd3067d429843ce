"""GE-18: eighteen tasks of GIFT-Eval that judge whole distributions, by the product's own jobs."""
