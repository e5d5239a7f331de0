"""The table of tiny models, one or more for each architecture. Nothing here needs torch.

Sizes are such that faults show: more query heads than key heads, a window shorter than the prompt,
experts that differ in number from those used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.convert.parity.case import BASE, MLA, VOCAB, WINDOW, Case, but, case
from tests.convert.parity.hybrids import HYBRIDS
from tests.convert.parity.newer import NEWER
from tests.convert.parity.others import OTHERS
from tests.convert.parity.remote import REMOTE
from tests.convert.parity.seeing import SEEING

__all__ = ["CASES"]

_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
_NO_INNER = {"intermediate_size": None, "num_key_value_heads": None}
_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 48}

_MLA = {
    **MLA,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "rope_interleave": True,
}

_DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention"] * 3 + ["full_attention"],
}
_GEMMA3N = {
    "head_dim": 16,
    "sliding_window": WINDOW,
    # so wide that it hardly matters that the engine divides by one less for the deviation
    "intermediate_size": 8192,
    "hidden_size_per_layer_input": 256,  # the engine's, as the rank is
    "vocab_size_per_layer_input": VOCAB,
    "laurel_rank": 64,
    "tie_word_embeddings": True,
}
_ENCODER = {
    **BASE,
    "num_key_value_heads": None,
    "type_vocab_size": 1,
    "hidden_act": "gelu",
}


CASES: Mapping[str, Case] = MappingProxyType(
    {
        "llama": case("llama", "LlamaForCausalLM", rope_parameters=_LLAMA3),
        "llama, tied, wide heads": case(
            "llama", "LlamaForCausalLM", tie_word_embeddings=True, head_dim=32
        ),
        "mistral": case("mistral", "MistralForCausalLM", sliding_window=None),
        "mixtral": case(
            "mixtral", "MixtralForCausalLM", num_local_experts=4, num_experts_per_tok=2
        ),
        "qwen2": case("qwen2", "Qwen2ForCausalLM"),
        "qwen3": case("qwen3", "Qwen3ForCausalLM", head_dim=32),
        "qwen2-moe": case(
            "qwen2_moe",
            "Qwen2MoeForCausalLM",
            shared_expert_intermediate_size=80,
            **_MOE,
        ),
        "qwen3-moe": case(
            "qwen3_moe", "Qwen3MoeForCausalLM", head_dim=32, norm_topk_prob=True, **_MOE
        ),
        "gemma": case("gemma", "GemmaForCausalLM", head_dim=32, tie_word_embeddings=True),
        "gemma2": case(
            "gemma2",
            "Gemma2ForCausalLM",
            head_dim=16,
            query_pre_attn_scalar=16,
            sliding_window=WINDOW,
            tie_word_embeddings=True,
        ),
        "gemma3": case(
            "gemma3_text",
            "Gemma3ForCausalLM",
            head_dim=16,
            query_pre_attn_scalar=16,
            num_hidden_layers=7,
            sliding_window=WINDOW,
            tie_word_embeddings=True,
        ),
        "smollm3": case("smollm3", "SmolLM3ForCausalLM", num_hidden_layers=5),
        "arcee": case("arcee", "ArceeForCausalLM", hidden_act="relu2"),
        "granite": case(
            "granite",
            "GraniteForCausalLM",
            attention_multiplier=0.2,
            embedding_multiplier=1.5,
            residual_multiplier=0.5,
            logits_scaling=2.0,
        ),
        "granite-moe": case(
            "granitemoe",
            "GraniteMoeForCausalLM",
            num_local_experts=4,
            num_experts_per_tok=2,
            attention_multiplier=0.2,
            embedding_multiplier=1.5,
            residual_multiplier=0.5,
            logits_scaling=2.0,
        ),
        "granite-moe-shared": case(
            "granitemoeshared",
            "GraniteMoeSharedForCausalLM",
            num_local_experts=4,
            num_experts_per_tok=2,
            shared_intermediate_size=80,
            attention_multiplier=0.2,
        ),
        "cohere": case("cohere", "CohereForCausalLM", logit_scale=0.25, tie_word_embeddings=True),
        "cohere2": case(
            "cohere2",
            "Cohere2ForCausalLM",
            logit_scale=0.25,
            tie_word_embeddings=True,
            sliding_window=WINDOW,
            num_hidden_layers=5,
        ),
        "olmo": case("olmo", "OlmoForCausalLM", clip_qkv=1.0),
        "olmo2": case("olmo2", "Olmo2ForCausalLM"),
        "olmo3": case("olmo3", "Olmo3ForCausalLM", sliding_window=WINDOW, num_hidden_layers=5),
        "olmoe": case(
            "olmoe",
            "OlmoeForCausalLM",
            num_experts=4,
            num_experts_per_tok=2,
            num_key_value_heads=4,
        ),
        "phi2": case("phi", "PhiForCausalLM", num_key_value_heads=4),
        "phi3": case("phi3", "Phi3ForCausalLM"),
        "phi3, long": case(
            "phi3",
            "Phi3ForCausalLM",
            original_max_position_embeddings=32,
            max_position_embeddings=128,
            rope_parameters={
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "long_factor": [1.0, 1.1, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0],
                "short_factor": [1.0, 1.02, 1.04, 1.06, 1.08, 1.1, 1.15, 1.2],
                "original_max_position_embeddings": 32,
            },
        ),
        "phi3.5-moe": Case(
            "phimoe",
            "PhimoeForCausalLM",
            {
                **BASE,
                "num_local_experts": 4,
                "num_experts_per_tok": 2,
                "lm_head_bias": True,
                "attention_bias": True,
            },
            excuse="the engine weighs experts by softmax, the original by its own SparseMixer",
        ),
        "gpt2": case("gpt2", "GPT2LMHeadModel", **_NO_INNER, n_embd=64, n_head=4, n_layer=3),
        "gpt-bigcode": case(
            "gpt_bigcode", "GPTBigCodeForCausalLM", **_NO_INNER, n_embd=64, n_head=4, n_layer=3
        ),
        "gpt-neox": case("gpt_neox", "GPTNeoXForCausalLM", rotary_pct=0.5),
        "bloom": case(
            "bloom", "BloomForCausalLM", **_NO_INNER, n_head=4, n_layer=3, tie_word_embeddings=True
        ),
        "falcon, one key": case("falcon", "FalconForCausalLM", **_NO_INNER, multi_query=True),
        "falcon, groups": case(
            "falcon",
            "FalconForCausalLM",
            **_NO_INNER,
            new_decoder_architecture=True,
            num_kv_heads=2,
        ),
        "mpt": case(
            "mpt",
            "MptForCausalLM",
            **_NO_INNER,
            d_model=64,
            n_heads=4,
            n_layers=3,
            tie_word_embeddings=True,
        ),
        "starcoder2": case("starcoder2", "Starcoder2ForCausalLM"),
        "stablelm": case("stablelm", "StableLmForCausalLM"),
        "nemotron": case("nemotron", "NemotronForCausalLM"),
        "exaone4": case(
            "exaone4",
            "Exaone4ForCausalLM",
            sliding_window=None,
            sliding_window_pattern=4,
            layer_types=["full_attention"] * 3,
        ),
        "exaone4, window": case(
            "exaone4",
            "Exaone4ForCausalLM",
            hidden_size=32,
            num_hidden_layers=64,  # the engine knows the windows of this size alone
            sliding_window=WINDOW,
            sliding_window_pattern=4,
        ),
        "exaone-moe": but(
            case(
                "exaone_moe",
                "ExaoneMoeForCausalLM",
                num_hidden_layers=5,
                sliding_window=WINDOW,
                first_k_dense_replace=1,
                num_shared_experts=1,
                **_MOE,
            ),
            half_tolerance=0.2,
            note="F16 moves a router's close choice; 3.9e-3 where all experts are asked",
        ),
        "jais2": case("jais2", "Jais2ForCausalLM", head_dim=16),
        "minimax-m2": case(
            "minimax_m2",
            "MiniMaxM2ForCausalLM",
            head_dim=32,
            rotary_dim=16,
            num_local_experts=4,
            num_experts_per_tok=2,
        ),
        "dbrx": Case(
            "dbrx",
            "DbrxForCausalLM",
            {
                "vocab_size": VOCAB,
                "d_model": 64,
                "n_heads": 4,
                "n_layers": 3,
                "max_seq_len": 256,
                "attn_config": {"kv_n_heads": 2, "clip_qkv": 1.0, "rope_theta": 10000.0},
                "ffn_config": {
                    "ffn_hidden_size": 96,
                    "moe_num_experts": 4,
                    "moe_top_k": 2,
                    "hidden_size": 64,
                },
            },
        ),
        "seed-oss": case("seed_oss", "SeedOssForCausalLM", head_dim=16),
        "glm": case("glm", "GlmForCausalLM", head_dim=16),
        "glm4": case("glm4", "Glm4ForCausalLM", head_dim=16),
        "glm4-moe": case(
            "glm4_moe",
            "Glm4MoeForCausalLM",
            head_dim=16,
            n_routed_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=48,
            n_shared_experts=1,
            n_group=1,
            topk_group=1,
            first_k_dense_replace=1,
        ),
        "ernie4.5": case("ernie4_5", "Ernie4_5ForCausalLM", head_dim=16),
        "ernie4.5-moe": case(
            "ernie4_5_moe",
            "Ernie4_5_MoeForCausalLM",
            moe_num_experts=4,
            moe_k=2,
            moe_intermediate_size=48,
            moe_num_shared_experts=1,
            moe_layer_start_index=1,
            moe_layer_interval=1,
        ),
        "gpt-oss": case(
            "gpt_oss",
            "GptOssForCausalLM",
            rope_parameters={
                "rope_type": "yarn",
                "rope_theta": 150000.0,
                "factor": 4.0,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "original_max_position_embeddings": 64,
            },
            head_dim=16,
            num_local_experts=4,
            num_experts_per_tok=2,
            sliding_window=WINDOW,
        ),
        "deepseek2": case("deepseek_v2", "DeepseekV2ForCausalLM", **_MLA, topk_method="greedy"),
        "deepseek3": case("deepseek_v3", "DeepseekV3ForCausalLM", **_MLA),
        "glm4-moe-lite": case("glm4_moe_lite", "Glm4MoeLiteForCausalLM", **_MLA),
        "dots1": case(
            "dots1",
            "Dots1ForCausalLM",
            head_dim=16,
            num_key_value_heads=4,
            n_routed_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=48,
            n_shared_experts=1,
            n_group=1,
            topk_group=1,
            first_k_dense_replace=1,
        ),
        "lfm2": case(
            "lfm2",
            "Lfm2ForCausalLM",
            layer_types=["conv", "full_attention", "conv"],
            tie_word_embeddings=True,
        ),
        "lfm2-moe": case(
            "lfm2_moe",
            "Lfm2MoeForCausalLM",
            layer_types=["conv", "full_attention", "conv"],
            tie_word_embeddings=True,
            num_dense_layers=1,
            use_expert_bias=True,
            **_MOE,
        ),
        "mamba": case("mamba", "MambaForCausalLM", intermediate_size=128, state_size=16),
        "falcon-mamba": case(
            "falcon_mamba", "FalconMambaForCausalLM", intermediate_size=128, state_size=16
        ),
        "mamba2": case(
            "mamba2",
            "Mamba2ForCausalLM",
            **_NO_INNER,
            num_heads=4,
            head_dim=32,
            state_size=16,
            n_groups=2,
        ),
        "llama4": case(
            "llama4_text",
            "Llama4ForCausalLM",
            num_hidden_layers=4,
            head_dim=16,
            intermediate_size_mlp=96,
            intermediate_size=48,
            num_local_experts=4,
            num_experts_per_tok=1,
            interleave_moe_layer_step=2,
            attention_chunk_size=8192,
        ),
        "ministral3": case(
            "ministral3",
            "Ministral3ForCausalLM",
            head_dim=16,
            rope_parameters={
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 4.0,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
                "original_max_position_embeddings": 32,
                "llama_4_scaling_beta": 0.1,
            },
        ),
        "hunyuan": case("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", head_dim=16),
        "hunyuan, stretched": case(
            "hunyuan_v1_dense",
            "HunYuanDenseV1ForCausalLM",
            head_dim=16,
            rope_parameters={
                "rope_type": "dynamic",
                "rope_theta": 10000.0,
                "alpha": 50.0,
                "factor": 1.0,
            },
        ),
        "hunyuan-moe": case(
            "hunyuan_v1_moe",
            "HunYuanMoEV1ForCausalLM",
            head_dim=16,
            num_experts=4,
            moe_topk=[2, 2, 2],
            moe_intermediate_size=[96, 96, 96],
            num_shared_expert=[1, 1, 1],
        ),
        "qwen3-next": case(
            "qwen3_next",
            "Qwen3NextForCausalLM",
            num_hidden_layers=4,
            head_dim=32,
            shared_expert_intermediate_size=80,
            norm_topk_prob=True,
            **_DELTA,
            **_MOE,
        ),
        "qwen3.5": case(
            "qwen3_5_text", "Qwen3_5ForCausalLM", num_hidden_layers=4, head_dim=64, **_DELTA
        ),
        "qwen3.5 with experts": but(
            case(
                "qwen3_5_moe_text",
                "Qwen3_5MoeForCausalLM",
                num_hidden_layers=4,
                head_dim=64,
                shared_expert_intermediate_size=80,
                **_DELTA,
                **_MOE,
            ),
            half_tolerance=0.1,
            note="F16 moves a router's close choice",
        ),
        "gemma3n": but(
            case(
                "gemma3n_text",
                "Gemma3nForCausalLM",
                **_GEMMA3N,
                num_hidden_layers=5,
                activation_sparsity_pattern=[0.95] * 5,
                layer_types=["sliding_attention"] * 4 + ["full_attention"],
                num_kv_shared_layers=0,
            ),
            spread=0.5,
        ),
        "gemma3n, shared keys": but(
            case(
                "gemma3n_text",
                "Gemma3nForCausalLM",
                **_GEMMA3N,
                num_hidden_layers=22,  # the engine shares from the 21st on
                activation_sparsity_pattern=[0.95] * 10 + [0.0] * 12,
                layer_types=(["sliding_attention"] * 4 + ["full_attention"]) * 4
                + ["sliding_attention", "full_attention"],
                num_kv_shared_layers=2,
            ),
            spread=0.2,
            tolerance=1e-2,
            half_tolerance=0.1,
            note="22 random layers make 2e-2 of a noise of 5e-4, which GELU's table is",
        ),
        "gemma4": but(
            case(
                "gemma4_text",
                "Gemma4ForCausalLM",
                num_hidden_layers=10,
                layer_types=(["sliding_attention"] * 4 + ["full_attention"]) * 2,
                head_dim=16,
                global_head_dim=32,
                sliding_window=WINDOW,
                num_kv_shared_layers=5,
                hidden_size_per_layer_input=16,
                vocab_size_per_layer_input=VOCAB,
                tie_word_embeddings=True,
            ),
            spread=0.5,
            tolerance=1e-2,
            note="1.5e-3 where the original takes GELU from such a table, too",
        ),
        **HYBRIDS,
        **NEWER,
        **OTHERS,
        **REMOTE,
        **SEEING,
        "roberta": Case("roberta", "RobertaModel", _ENCODER, tolerance=5e-3),
        "xlm-roberta": Case("xlm-roberta", "XLMRobertaModel", _ENCODER, tolerance=5e-3),
        "bert, scores": Case(
            "bert",
            "BertForSequenceClassification",
            {**_ENCODER, "type_vocab_size": 2, "num_labels": 1},
            tokenizer="words",
            tolerance=5e-3,
            scores=True,
        ),
        "modernbert, scores": Case(
            "modernbert",
            "ModernBertForSequenceClassification",
            {
                **_ENCODER,
                "num_labels": 3,
                "local_attention": WINDOW,
                "num_hidden_layers": 4,
                "classifier_pooling": "mean",
            },
            tokenizer="words",
            tolerance=5e-3,
            scores=True,
        ),
        "jina-bert-v3": Case(
            "jina_embeddings_v3",
            "JinaEmbeddingsV3Model",
            _ENCODER,
            tokenizer="pieces",
            tolerance=5e-3,
        ),
        "roberta, scores": Case(
            "roberta",
            "RobertaForSequenceClassification",
            {**_ENCODER, "num_labels": 3},
            tolerance=5e-3,
            scores=True,
        ),
        "xlm-roberta, scores": Case(
            "xlm-roberta",
            "XLMRobertaForSequenceClassification",
            {**_ENCODER, "num_labels": 1},
            tolerance=5e-3,
            scores=True,
        ),
        "distilbert": Case(
            "distilbert",
            "DistilBertModel",
            {"vocab_size": VOCAB, "dim": 64, "hidden_dim": 96, "n_layers": 3, "n_heads": 4},
            tokenizer="words",
            tolerance=5e-3,
        ),
        "modernbert": Case(
            "modernbert",
            "ModernBertModel",
            {**_ENCODER, "local_attention": 16, "num_hidden_layers": 4, "bos_token_id": 0},
            tolerance=5e-3,
        ),
        "embeddinggemma": Case(
            "gemma3_text",
            "Gemma3TextModel",
            {
                **BASE,
                "head_dim": 16,
                "query_pre_attn_scalar": 16,
                "num_hidden_layers": 7,
                "sliding_window": 2 * WINDOW,
                "use_bidirectional_attention": True,
            },
            dense=(96, 64),
        ),
        "eurobert": Case("eurobert", "EuroBertModel", {**BASE, "num_key_value_heads": 2}),
        "nomic-bert": Case(
            "nomic_bert", "NomicBertModel", {**_ENCODER, "hidden_act": "silu"}, "words"
        ),
        "t5-encoder": Case(
            "t5",
            "T5EncoderModel",
            {
                "vocab_size": VOCAB,
                "d_model": 64,
                "d_kv": 16,
                "d_ff": 96,
                "num_layers": 3,
                "num_heads": 4,
                "feed_forward_proj": "gated-gelu",
            },
            tokenizer="pieces",
            tolerance=5e-3,
        ),
        "bert": Case(
            "bert",
            "BertModel",
            {**BASE, "num_key_value_heads": None, "type_vocab_size": 2, "hidden_act": "gelu"},
            tokenizer="words",
            tolerance=5e-3,
        ),
    }
)
