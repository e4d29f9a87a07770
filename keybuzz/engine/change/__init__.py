"""From a plan to changed hosts: the guard, the stages, the proof, and the verbs that do it."""
