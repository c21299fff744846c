"""The studio: a page on which a person makes a rule by painting."""
