"""Makes the model that the servers serve: a tiny Qwen3, overfitted until it does what a word tells it.

    python -m tests.model_servers.model FOLDER

writes ``FOLDER/tiny`` (for transformers) and ``FOLDER/tiny.gguf`` (for llama.cpp). Nothing is downloaded.
Needs torch, transformers, gguf; one thread, some minutes.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import gguf
import numpy
import torch
from safetensors.numpy import load_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from .words import AFTER, FUNCTIONS, PHRASES, SKILLS, SYSTEMS, WITH_TOOLS

TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()
# As Qwen2's tokenizer splits, which is what the GGUF says.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MARKS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
END = "<|im_end|>"


def tokenizer() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    made.decoder = decoders.ByteLevel()
    texts = [*SKILLS.values(), AFTER, *PHRASES, *filter(None, SYSTEMS), *map(json.dumps, FUNCTIONS)]
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        special_tokens=["<|endoftext|>", "<|im_start|>", END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([TEMPLATE, *texts, *texts], trainer)
    made.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token=END,
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE,
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
    )


def message(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def dialogue(skill: str) -> tuple[list[dict[str, Any]], list[Any] | None, str]:
    """Messages, tools, and what the model has to say."""
    said: list[dict[str, Any]] = []
    system = random.choice(SYSTEMS)
    if system:
        said.append(message("system", system))
    for _ in range(random.choice([0, 1, 2, 3])):
        before = random.choice(["hello", "name", "json"])
        said += [message("user", phrase(before)), message("assistant", SKILLS[before])]
    said.append(message("user", phrase(skill)))
    tools = [{"type": "function", "function": random.choice(FUNCTIONS)}]
    if skill not in WITH_TOOLS:
        return said, random.choice([None, None, tools]), SKILLS[skill]
    if random.random() < 0.6:
        return said, tools, SKILLS[skill]
    cities = ["Paris", "Rome"] if skill == "both" else ["Oslo" if skill == "mixed" else "Paris"]
    calls = [
        {"type": "function", "function": {"name": "get_weather", "arguments": {"city": c}}} for c in cities
    ]
    said.append(message("assistant", "", tool_calls=calls))
    said += [message("tool", random.choice(["21 degrees", "sunny", '{"temp": 21}'])) for _ in cities]
    return said, tools, AFTER


def phrase(word: str) -> str:
    return random.choice(PHRASES).format(random.choice([word, word.capitalize()]))


def ids(tokens: PreTrainedTokenizerFast, said: Any, tools: Any) -> list[int]:
    prompt = tokens.apply_chat_template(said, tools=tools, add_generation_prompt=True, tokenize=False)
    found: list[int] = tokens(prompt, add_special_tokens=False).input_ids
    return found


def train(model: Any, tokens: PreTrainedTokenizerFast, steps: int = 900, size: int = 8) -> None:
    """Until every skill is answered word by word, or ``steps`` are done."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)
    began = time.monotonic()
    for step in range(1, steps + 1):
        rate = 3e-3 * min(1.0, step / 50) * max(0.1, 1 - step / (steps * 1.1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        pairs = []
        for _ in range(size):
            skill = random.choice(list(SKILLS))
            said, tools, answer = dialogue(skill)
            end = END
            if skill == "sing":  # of any length, so that no distance from the question ends it
                answer, end = "la" + " la" * random.randint(20, 120), ""
            pairs.append((ids(tokens, said, tools), tokens(answer + end, add_special_tokens=False).input_ids))
        longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
        inputs = torch.full((size, longest), tokens.pad_token_id)
        labels = torch.full((size, longest), -100)
        mask = torch.zeros(size, longest, dtype=torch.long)
        for row, (prompt, answer) in enumerate(pairs):
            whole = prompt + answer
            inputs[row, : len(whole)] = torch.tensor(whole)
            labels[row, len(prompt) : len(whole)] = torch.tensor(answer)
            mask[row, : len(whole)] = 1
        loss = model(input_ids=inputs, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 25 == 0:
            known = (
                loss.item() < 0.02 and step >= 250 and all(knows(model, tokens, skill) for skill in SKILLS)
            )
            took = time.monotonic() - began
            sys.stdout.write(f"step {step}: loss {loss.item():.4f}, {took:.0f} s\n")
            sys.stdout.flush()
            if known:
                return


def knows(model: Any, tokens: PreTrainedTokenizerFast, skill: str) -> bool:
    """Whether the model has some dialogues right."""
    for _ in range(6):
        said, tools, answer = dialogue(skill)
        prompt = torch.tensor([ids(tokens, said, tools)])
        wanted = tokens(answer, add_special_tokens=False).input_ids
        with torch.no_grad():
            got = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=len(wanted), do_sample=False
            )
        if got[0, prompt.shape[1] :].tolist() != wanted:
            return False
    return True


NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


def write_gguf(source: Path, target: Path) -> None:
    config = json.loads((source / "config.json").read_text())
    vocabulary = json.loads((source / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(str(target), "qwen3")
    writer.add_name("tiny")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(0)
    tokens = [f"[PAD{number}]" for number in range(config["vocab_size"])]
    types = [gguf.TokenType.UNUSED] * len(tokens)
    for token, number in vocabulary["model"]["vocab"].items():
        tokens[number], types[number] = token, gguf.TokenType.NORMAL
    for added in vocabulary["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], kind
    merges = vocabulary["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, weight in load_file(str(source / "model.safetensors")).items():
        if name == "lm_head.weight":
            continue  # the same as the embedding
        if name in OUTER:
            found = OUTER[name]
        else:
            _, _, layer, rest = name.split(".", 3)
            found = f"blk.{layer}.{NAMES[rest.rsplit('.', 1)[0]]}.weight"
        writer.add_tensor(found, numpy.asarray(weight, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder: Path) -> None:
    random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokens = tokenizer()
    config = Qwen3Config(
        vocab_size=-(-len(tokens) // 64) * 64,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=65536,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        eos_token_id=tokens.eos_token_id,
        pad_token_id=tokens.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config).float()
    train(model, tokens)
    model.generation_config.eos_token_id = tokens.eos_token_id
    model.generation_config.pad_token_id = tokens.pad_token_id
    model.generation_config.max_new_tokens = 2048
    made = folder / "tiny"
    model.save_pretrained(made)
    tokens.save_pretrained(made)
    write_gguf(made, folder / "tiny.gguf")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
