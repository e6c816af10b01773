"""musicnn's tags and training data; importing this module does not import torch."""

PRETRAINED = (
    "some 200,000 songs of the Million Song Dataset, with 50 tags of Last.fm; test artists may be "
    "among them"
)
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop",
    "sad", "House", "happy",
)  # fmt: skip
# Genres as groups of tags, for predictions without further training.
GENRES = {
    "Blues": ["blues"],
    "Country": ["country"],
    "Electronic": ["electronic", "electronica", "electro", "House", "dance"],
    "Experimental": ["experimental"],
    "Folk": ["folk", "acoustic"],
    "Hip-Hop": ["Hip-Hop"],
    "Jazz": ["jazz"],
    "Metal": ["metal", "heavy metal"],
    "Pop": ["pop", "indie pop"],
    "Punk": ["punk"],
    "Rock": [
        "rock", "alternative rock", "classic rock", "indie rock", "hard rock", "Progressive rock",
    ],
    "Soul-RnB": ["soul", "rnb", "funk"],
}  # fmt: skip
