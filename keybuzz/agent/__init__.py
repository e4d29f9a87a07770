"""The program that runs on a host: standard library only, fed over one channel, gone when it closes.

It reaches a host as one piece of memory (keybuzz.transport.bundle) and must run on Python 3.10 to 3.13.
"""
