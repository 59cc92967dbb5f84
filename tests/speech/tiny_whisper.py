"""Whispers of a hundredth of the smallest, which say a script whatever they hear: models for the true code of engines.

Their encoder and cross attention are random numbers, so that words get times. Their decoder looks at nothing but the
place in the text: what its embedding of a place is like, is what it writes next. So a test knows each token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STATE, _HEADS, _MELS, _AUDIO, _TEXT = 64, 2, 80, 1500, 448
#: Where rare words begin, which rivals are; the time that ends what is said, in steps of 0.02 s.
_RIVALS, _ENDS_AT = 49_000, 50
Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Script:
    """What a model says."""

    text: str = " Hello there, how are you?"
    #: The language that it takes everything for; None: the model knows English alone.
    language: str | None = "en"
    #: Other tokens that it holds for all but as likely as each token of the text: 3 make a probability of 1/4.
    rivals: int = 0
    #: It takes everything for silence.
    is_silence: bool = False
    #: How often it says the text.
    times: int = 1


def tokens_of(script: Script) -> Any:
    """Whisper's own tokenizer, for the script's language."""
    from whisper.tokenizer import get_tokenizer

    many = script.language is not None
    return get_tokenizer(many, num_languages=99, language=script.language, task="transcribe" if many else None)


def weights_of(script: Script) -> Weights:
    """The weights, by the names of OpenAI's checkpoints."""
    random = np.random.default_rng(1)
    tokens = tokens_of(script)
    found: Weights = {
        "encoder.conv1.weight": random.normal(0, 0.1, (_STATE, _MELS, 3)),
        "encoder.conv1.bias": np.zeros(_STATE),
        "encoder.conv2.weight": random.normal(0, 0.1, (_STATE, _STATE, 3)),
        "encoder.conv2.bias": np.zeros(_STATE),
        "encoder.positional_embedding": random.normal(0, 0.5, (_AUDIO, _STATE)),
        **_block("encoder.blocks.0", random),
        **_norm("encoder.ln_post"),
        **_block("decoder.blocks.0", random, cross=True),
        **_norm("decoder.ln"),
    }
    embedding = random.normal(0, 1, (tokens.encoding.n_vocab, _STATE))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    text = dict.fromkeys(tokens.encode(script.text))
    for number, token in enumerate(text):
        for rival in range(script.rivals):
            embedding[_RIVALS + number * script.rivals + rival] = 0.999 * embedding[token]
    found["decoder.token_embedding.weight"] = embedding * 6
    found["decoder.positional_embedding"] = _places(script, tokens, embedding)
    return {name: np.asarray(weight, np.float32) for name, weight in found.items()}


def _places(script: Script, tokens: Any, embedding: Any) -> Any:
    """For each place in the text the embedding of what comes next."""
    places = np.zeros((_TEXT, _STATE))
    begin = len(tokens.sot_sequence)  # the first token of the text comes after these and <|notimestamps|>
    text = tokens.encode(script.text) * script.times
    # With times, that is what begins; and a time ends the text, so that the window is done.
    places[begin - 1] = embedding[tokens.timestamp_begin]
    for place, token in enumerate([*text, tokens.timestamp_begin + _ENDS_AT]):
        places[begin + place] = embedding[token]
    places[begin + len(text) + 1 :] = embedding[tokens.eot]
    # At the start of all stands the language, or that there is no speech.
    if script.language is not None:
        places[0] = embedding[tokens.to_language_token(script.language)]
    if script.is_silence:
        places[0] = 0.5 * places[0] + embedding[tokens.no_speech]
    return places * 100


def _block(name: str, random: Any, *, cross: bool = False) -> Weights:
    """A block that adds nothing, since what it makes is multiplied by 0; its attention is random."""
    found: Weights = {**_norm(f"{name}.mlp_ln")}
    for kind in ("attn", "cross_attn") if cross else ("attn",):
        for part in ("query", "key", "value", "out"):
            weight = np.zeros((_STATE, _STATE)) if part == "out" else random.normal(0, 0.5, (_STATE, _STATE))
            found[f"{name}.{kind}.{part}.weight"] = weight
            if part != "key":
                found[f"{name}.{kind}.{part}.bias"] = np.zeros(_STATE)
        found |= _norm(f"{name}.{kind}_ln")
    for number, shape in ((0, (4 * _STATE, _STATE)), (2, (_STATE, 4 * _STATE))):
        found[f"{name}.mlp.{number}.weight"] = np.zeros(shape)
        found[f"{name}.mlp.{number}.bias"] = np.zeros(shape[0])
    return found


def _norm(name: str) -> Weights:
    return {f"{name}.weight": np.ones(_STATE), f"{name}.bias": np.zeros(_STATE)}


def write_openai(path: Path, script: Script = Script()) -> Path:
    """The model as OpenAI publishes its own: `dims` and `model_state_dict` in a file of torch."""
    import torch

    weights = weights_of(script)
    dims = {
        "n_mels": _MELS,
        "n_audio_ctx": _AUDIO,
        "n_audio_state": _STATE,
        "n_audio_head": _HEADS,
        "n_audio_layer": 1,
        "n_vocab": len(weights["decoder.token_embedding.weight"]),
        "n_text_ctx": _TEXT,
        "n_text_state": _STATE,
        "n_text_head": _HEADS,
        "n_text_layer": 1,
    }
    state = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    torch.save({"dims": dims, "model_state_dict": state}, path)
    return path


def write_ctranslate2(folder: Path, script: Script = Script()) -> Path:
    """The model as CTranslate2's converter writes it, with the files that faster-whisper reads beside it."""
    from ctranslate2.specs import WhisperSpec

    weights = weights_of(script)
    spec = WhisperSpec(1, _HEADS, 1, _HEADS)
    encoder, decoder = spec.encoder, spec.decoder
    for conv, name in ((encoder.conv1, "encoder.conv1"), (encoder.conv2, "encoder.conv2")):
        _take(conv, weights, name)
    encoder.position_encodings.encodings = weights["encoder.positional_embedding"]
    decoder.position_encodings.encodings = weights["decoder.positional_embedding"]
    decoder.embeddings.weight = weights["decoder.token_embedding.weight"]
    decoder.projection.weight = weights["decoder.token_embedding.weight"]
    _take_norm(encoder.layer_norm, weights, "encoder.ln_post")
    _take_norm(decoder.layer_norm, weights, "decoder.ln")
    _take_block(encoder.layer[0], weights, "encoder.blocks.0")
    _take_block(decoder.layer[0], weights, "decoder.blocks.0")
    _take_attention(decoder.layer[0].attention, weights, "decoder.blocks.0.cross_attn", fused=((0,), (1, 2)))
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary(tokens_of(script))
    spec.register_vocabulary(vocabulary)
    tokens = tokens_of(script)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokens.encode(" ")[0], tokens.eot]
    spec.config.lang_ids = list(tokens.all_language_tokens)
    spec.config.alignment_heads = [(0, 0), (0, 1)]
    spec.validate()
    spec.save(str(folder))
    _write_tokenizer(folder, vocabulary, tokens)
    preprocessor = {"feature_size": _MELS, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def _take(spec: Any, weights: Weights, name: str) -> None:
    spec.weight, spec.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _take_norm(spec: Any, weights: Weights, name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _take_block(spec: Any, weights: Weights, name: str) -> None:
    _take_attention(spec.self_attention, weights, f"{name}.attn", fused=((0, 1, 2),))
    _take_norm(spec.ffn.layer_norm, weights, f"{name}.mlp_ln")
    _take(spec.ffn.linear_0, weights, f"{name}.mlp.0")
    _take(spec.ffn.linear_1, weights, f"{name}.mlp.2")


def _take_attention(spec: Any, weights: Weights, name: str, *, fused: Sequence[Sequence[int]]) -> None:
    """Query, key and value, as CTranslate2 has them: some of the three stacked to one."""
    parts = ("query", "key", "value")
    silent = np.zeros(_STATE, np.float32)
    for linear, numbers in zip(spec.linear, fused, strict=False):
        linear.weight = np.concatenate([weights[f"{name}.{parts[n]}.weight"] for n in numbers])
        linear.bias = np.concatenate([weights.get(f"{name}.{parts[n]}.bias", silent) for n in numbers])
    _take(spec.linear[-1], weights, f"{name}.out")
    _take_norm(spec.layer_norm, weights, f"{name}_ln")


def _vocabulary(tokens: Any) -> list[str]:
    """All tokens, as byte-level tokenizers write them: a letter for each byte."""
    letters = _letters()
    special = {number: name for name, number in tokens.encoding._special_tokens.items()}
    texts = []
    for number in range(tokens.encoding.n_vocab):
        name = special.get(number)
        texts.append(name or "".join(letters[byte] for byte in tokens.encoding.decode_single_token_bytes(number)))
    return texts


def _letters() -> Mapping[int, str]:
    """GPT-2's letter for each byte: itself where it can be seen, else one from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


def _write_tokenizer(folder: Path, vocabulary: Sequence[str], tokens: Any) -> None:
    """A byte-level tokenizer with Whisper's tokens; without its merges, since it has to decode, not to encode."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    plain = len(vocabulary) - len(tokens.encoding._special_tokens)
    tokenizer = Tokenizer(models.BPE({text: number for number, text in enumerate(vocabulary[:plain])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in vocabulary[plain:]])
    tokenizer.save(str(folder / "tokenizer.json"))
