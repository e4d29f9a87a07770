"""Images and programs of a lab: recipes, builder, registry."""
