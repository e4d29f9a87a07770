"""Which machine the agent runs on, and who may change it now."""
