"""What a pixel of the label map can show."""

LABELS = (
    "background",
    "clothes",
    "skin",
    "hair",
    "ear",
    "eye",
    "brow",
    "nose",
    "lips",
    "teeth",
    "glasses",
    "earring",
    "moustache",
)
(
    BACKGROUND,
    CLOTHES,
    SKIN,
    HAIR,
    EAR,
    EYE,
    BROW,
    NOSE,
    LIPS,
    TEETH,
    GLASSES,
    EARRING,
    MOUSTACHE,
) = range(len(LABELS))
