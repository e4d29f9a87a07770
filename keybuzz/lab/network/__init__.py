"""The lab's isolated network and the provider's load balancers."""
