"""Fine-tuning: LoRA adapters for Qwen2-VL and its kin, trained on the data of this toolkit.

A run, asked for and watched:
    options job asked runs status holding

Its data:
    prepare rows energon chats encoding order positions feeding

Its training:
    tune adapting device trainer stopping breakdowns folders finish
"""
