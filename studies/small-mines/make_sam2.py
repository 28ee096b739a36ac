"""Write a SAM 2 of random weights, small enough for two cores, as transformers keeps one.

    python make_sam2.py sam2-random

It knows nothing: it shows that the way is whole. The published weights, ``facebook/sam2.1-hiera-tiny``
and larger, go in its place.
"""

from __future__ import annotations

import sys
import warnings


def main(folder: str) -> None:
    warnings.simplefilter("ignore")
    import torch
    import transformers

    hiera = transformers.Sam2HieraDetConfig(
        hidden_size=8, image_size=[64, 64], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 4], global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )  # fmt: skip
    eyes = transformers.Sam2VisionConfig(
        backbone_config=hiera, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=32,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )  # fmt: skip
    config = transformers.Sam2Config(
        vision_config=eyes,
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2,
                             "iou_head_hidden_dim": 16},
    )  # fmt: skip
    torch.manual_seed(5)
    transformers.Sam2Model(config).save_pretrained(folder)
    print(f"{folder}: random weights")


if __name__ == "__main__":
    main(sys.argv[1])
