"""What a pixel of the label map can show."""

LABELS = (
    "background",
    "sky",
    "ground",
    "hill",
    "tree",
    "fence",
    "horse",
    "head",
    "ear",
    "mane",
    "tail",
    "saddle",
    "rider",
    "hat",
)
(
    SEA,
    SKY,
    GROUND,
    HILL,
    TREE,
    FENCE,
    HORSE,
    HEAD,
    EAR,
    MANE,
    TAIL,
    SADDLE,
    RIDER,
    HAT,
) = range(len(LABELS))
