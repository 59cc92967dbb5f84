"""Fine-tuning: LoRA adapters for Qwen2-VL and its kin, trained on the data of this toolkit."""
