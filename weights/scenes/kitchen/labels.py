"""What a pixel of the label map can show."""

LABELS = (
    "wall",
    "ceiling",
    "floor",
    "cabinet",
    "counter",
    "appliance",
    "window",
    "table",
    "reflection",
    "lamp",
    "plant",
    "object",
)
(
    WALL,
    CEILING,
    FLOOR,
    CABINET,
    COUNTER,
    APPLIANCE,
    WINDOW,
    TABLE,
    REFLECTION,
    LAMP,
    PLANT,
    OBJECT,
) = range(len(LABELS))
