"""Whole screens as files: what people see of a fleet that is well, of one fault, and of a lab that is nearly empty."""
