"""The agent's conversation with the controller, its children, and its end."""
