"""Takes the place of the product's modules in a run of its own."""
