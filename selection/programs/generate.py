"""Sample answers of a language model to prompts, and look inside it: what `selection.strategies.sampling`
measures.

Result folder:
    answers.parquet   row, temperature, sample, answer, tokens, log_prob, meaning: one row an answer
    measures.parquet  row, temperature, and the figures of `answers.Unsureness`: one row a prompt and
    temperature inside.parquet    row, dispersion (a list, by layer), depth, layers: one row a prompt
    result.json       counts, pace
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from jobs import program
from selection.strategies.sampling import answers as figures
from selection.strategies.sampling import attention, depth
from training.learning import language_model
from training.learning.encoder import Encoder
from training.programs import specs

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
MOST_PROMPT_TOKENS = 1024


@dataclass(frozen=True, kw_only=True)
class GenerateSpec(specs.Spec):
    """What to ask and how often.

    Attributes:
        result: the folder to make. prompts: parquet (row, text). model: folder of a causal language model
        that
            `language_model.load` opens, or packed weights that are unpacked into the folder `models` once.
        encoder: folder of the encoder that tells meanings apart.
        samples: answers a prompt and temperature. temperatures: each above 0.
        max_new_tokens: an answer is cut there.
        same: cosine from which two answers mean the same.
        threads: torch threads; None leaves them.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    prompts: str
    model: str
    encoder: str
    samples: int = 8
    temperatures: list[float] = field(default_factory=lambda: [0.3, 0.7, 1.0])
    max_new_tokens: int = 48
    same: float = figures.SAME_MEANING
    seed: int = 0
    threads: int | None = None
    models: str = ""

    def __post_init__(self) -> None:
        specs.check_range("samples", self.samples, 1, 256)
        specs.check_range("max_new_tokens", self.max_new_tokens, 1, 4096)
        specs.check_range("seed", self.seed, 0, 2**31 - 1)
        specs.check_range("threads", self.threads or 1, 1, 1024)
        if not self.temperatures or len(set(self.temperatures)) < len(self.temperatures):
            raise ValueError(f"temperatures: found {self.temperatures}, expected one or more different ones")
        for one in self.temperatures:
            specs.check_range("temperatures", one, 0.01, 10.0)


@dataclass(frozen=True)
class Sampled:
    """Answers to one prompt at one temperature: texts, tokens of each (s,), mean log-probability a token
    (s,).
    """

    texts: list[str]
    tokens: Ints
    log_probs: Floats


def work(data: dict[str, Any]) -> None:
    """The program. Cost: prompts x temperatures x samples x tokens forward steps; 135 M parameters on two
    cores give some hundred tokens a second.
    """
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = GenerateSpec.from_json(data)
        table = pq.read_table(spec.prompts, columns=["row", "text"]).to_pydict()
        prompts = list(zip(table["row"], table["text"], strict=True))
        program.progress(0, len(prompts) + 1, "loading the language model")
        if spec.threads:
            import torch

            torch.set_num_threads(spec.threads)
        folder = Path(spec.model)
        if spec.models:
            folder = language_model.convert(folder, Path(spec.models))
        model, tokenizer = language_model.load(folder)
        encoder = Encoder.load(spec.encoder, spec.threads)
        found: dict[str, list[dict[str, Any]]] = {"answers": [], "measures": [], "inside": []}
        for number, (row, text) in enumerate(prompts):
            program.progress(number + 1, len(prompts) + 1, "asking")
            ids = prompt_ids(tokenizer, text)
            for temperature in spec.temperatures:
                sampled = sample(model, tokenizer, ids, spec, number, temperature)
                _note(found, row, temperature, sampled, encoder, spec.same)
            found["inside"].append({"row": row, **look_inside(model, ids)})
        with program.result_folder(spec.result) as target:
            for name, rows in found.items():
                pq.write_table(pa.Table.from_pylist(rows), target / f"{name}.parquet")
            seconds = time.monotonic() - started
            tokens = sum(row["tokens"] for row in found["answers"])
            result = {
                "spec_version": specs.SPEC_VERSION,
                "prompts": len(prompts),
                "answers": len(found["answers"]),
                "tokens": int(tokens),
                "seconds": round(seconds, 3),
            }
            (target / "result.json").write_text(json.dumps(result, indent=1))


def prompt_ids(tokenizer: Any, text: str) -> Any:
    """(1, p) token ids of the prompt as one turn of a chat, or as it is for a model that knows no chats; a long
    prompt keeps its end.
    """
    if not tokenizer.chat_template:
        return tokenizer(text, return_tensors="pt")["input_ids"][:, -MOST_PROMPT_TOKENS:]
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": text}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )["input_ids"]
    return ids[:, -MOST_PROMPT_TOKENS:]


def sample(
    model: Any, tokenizer: Any, ids: Any, spec: GenerateSpec, number: int, temperature: float
) -> Sampled:
    """`spec.samples` answers to one prompt, in one batch.

    Log-probabilities are the model's own (temperature 1), whatever the temperature of sampling, so that
    figures compare. Generating draws from torch's global generator, which is seeded here from the spec, the
    prompt's number and the temperature: a prompt's answers do not depend on the other prompts.
    """
    import torch

    drawn = np.random.SeedSequence([spec.seed, number, round(temperature * 1e6)]).generate_state(1)
    torch.manual_seed(int(drawn[0]))
    ids = ids.to(model.device)
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            num_return_sequences=spec.samples,
            max_new_tokens=spec.max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            return_dict_in_generate=True,
            output_logits=True,
        )
        written = out.sequences[:, ids.shape[1] :]
        logs = torch.stack(out.logits, dim=1).float().log_softmax(-1)  # (s, t, v)
        own = logs.gather(-1, written[..., None])[..., 0].cpu().numpy().astype(np.float64)
    written = written.cpu().numpy()
    ends = written == tokenizer.eos_token_id
    lengths = np.where(ends.any(axis=1), ends.argmax(axis=1) + 1, written.shape[1]).astype(np.int64)
    texts = [
        tokenizer.decode(row[:length], skip_special_tokens=True).strip()
        for row, length in zip(written, lengths, strict=True)
    ]
    return Sampled(texts, lengths, figures.answer_log_probs(own, lengths))


def look_inside(model: Any, ids: Any) -> dict[str, Any]:
    """Attention of the prompt's last token by layer, and the layer from which its next token stands (logit
    lens).
    """
    import torch

    kept = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the other implementations do not give weights
    try:
        with torch.inference_mode():
            out = model(ids.to(model.device), output_attentions=True, output_hidden_states=True)
    finally:
        model.set_attn_implementation(kept)
    weights = torch.stack([layer[0, :, -1] for layer in out.attentions]).float().cpu().numpy()
    norm, head = _last_norm(model.get_decoder()), model.get_output_embeddings()
    with torch.inference_mode():  # the last state is normalised already
        states = [norm(layer[:, -1]) for layer in out.hidden_states[:-1]] + [out.hidden_states[-1][:, -1]]
        said = torch.stack([head(state).argmax(-1) for state in states]).cpu().numpy().astype(np.int64)
    return {
        "dispersion": attention.dispersion(weights).tolist(),
        "depth": int(depth.prediction_depth(said, said[-1])[0]),
        "layers": len(said) - 1,
    }


def _last_norm(decoder: Any) -> Any:
    """What a decoder does to its last state, by the names that families of models have for it; else nothing."""
    named = [getattr(decoder, name, None) for name in ("norm", "ln_f", "final_layer_norm")]
    return next((one for one in named if one is not None), lambda state: state)


def _note(
    found: dict[str, list[dict[str, Any]]],
    row: int,
    temperature: float,
    sampled: Sampled,
    encoder: Encoder,
    same: float,
) -> None:
    clusters = figures.meanings(encoder.encode(_filled(sampled.texts)), same=same)
    found["measures"].append(
        {
            "row": row,
            "temperature": temperature,
            **asdict(figures.measure(sampled.texts, clusters, sampled.log_probs)),
        }
    )
    for number, text in enumerate(sampled.texts):
        found["answers"].append(
            {
                **{"row": row, "temperature": temperature, "sample": number, "answer": text},
                **{"tokens": int(sampled.tokens[number]), "log_prob": float(sampled.log_probs[number])},
                "meaning": int(clusters[number]),
            }
        )


def _filled(texts: Sequence[str]) -> list[str]:
    """An empty answer has no embedding of its own: a dash stands in for it."""
    return [text or "–" for text in texts]


if __name__ == "__main__":
    program.main(work)
