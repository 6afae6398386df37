"""The kit of crash_test.py."""
