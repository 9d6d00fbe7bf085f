"""Conversation: what a message asks for, understood by rules, in English and in German, over what was said before."""
