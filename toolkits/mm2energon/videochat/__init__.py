"""Asking a model about a video: back ends, adapters, rounds of perception, and videos from outside.

`backends` are the rows of a table: this machine, an OpenAI-compatible server, Gemini.

A question:
    asking queue waiting case history

Rounds of perception:
    perception prompts spans looking frames

What Qwen-VL takes:
    qwen_vision qwen_inputs adapters

Videos from outside:
    intake apart uploads addresses download fetch_file fetch_site looked_at sanitise soundtrack video_cache
"""
