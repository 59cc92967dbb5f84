"""Speech: recorded conversations, a voice on each track, to conversations as text.

A recording is decoded (`sound`) onto one clock, speech is found (`activity`) where no other voice bleeds in (`bleed`),
recognised (`engines`), and put into turns and conversations (`turns`, `conversations`); `recording` does it for one
file, `transcribe` for many.
"""
