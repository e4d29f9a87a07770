"""The KeyBuzz servers on this machine: systemd-nspawn containers on an isolated network."""
