"""From description to changed hosts: select, probe, plan, guard, conduct, gate, prove, remember."""
