"""The modules: what the hosts of KeyBuzz must be. One folder each; nothing else knows their names."""
