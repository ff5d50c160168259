//! Words that generated posts are made of.

/// A topic's name and words.
pub(crate) struct TopicWords {
    /// Its name, which is also its hashtag.
    pub(crate) name: &'static str,
    /// Words that its posts use.
    pub(crate) words: &'static [&'static str],
}

/// All topics.
pub(crate) const TOPICS: [TopicWords; 16] = [
    TopicWords {
        name: "football",
        words: &[
            "match", "goal", "keeper", "derby", "striker", "league", "coach", "penalty", "transfer",
            "stadium",
        ],
    },
    TopicWords {
        name: "basketball",
        words: &[
            "dunk", "playoffs", "rebound", "guard", "buzzer", "draft", "court", "triple", "bench", "finals",
        ],
    },
    TopicWords {
        name: "cooking",
        words: &[
            "recipe", "oven", "garlic", "dough", "simmer", "pasta", "spice", "butter", "knife", "dinner",
        ],
    },
    TopicWords {
        name: "gardening",
        words: &[
            "tomato",
            "compost",
            "seedling",
            "prune",
            "soil",
            "roses",
            "harvest",
            "greenhouse",
            "bulbs",
            "shade",
        ],
    },
    TopicWords {
        name: "photography",
        words: &[
            "lens",
            "exposure",
            "portrait",
            "tripod",
            "golden",
            "shutter",
            "film",
            "contrast",
            "landscape",
            "frame",
        ],
    },
    TopicWords {
        name: "astronomy",
        words: &[
            "comet",
            "telescope",
            "orbit",
            "nebula",
            "eclipse",
            "rover",
            "galaxy",
            "launch",
            "meteor",
            "saturn",
        ],
    },
    TopicWords {
        name: "programming",
        words: &[
            "compiler", "refactor", "thread", "borrow", "release", "kernel", "cache", "latency", "parser",
            "crate",
        ],
    },
    TopicWords {
        name: "music",
        words: &[
            "album", "guitar", "chorus", "vinyl", "concert", "drummer", "melody", "setlist", "encore",
            "remix",
        ],
    },
    TopicWords {
        name: "cinema",
        words: &[
            "director",
            "sequel",
            "premiere",
            "script",
            "trailer",
            "actor",
            "soundtrack",
            "scene",
            "festival",
            "ending",
        ],
    },
    TopicWords {
        name: "travel",
        words: &[
            "island", "train", "passport", "hostel", "sunset", "harbor", "museum", "hiking", "layover",
            "market",
        ],
    },
    TopicWords {
        name: "economy",
        words: &[
            "inflation",
            "rates",
            "bonds",
            "earnings",
            "trade",
            "wages",
            "budget",
            "exports",
            "index",
            "housing",
        ],
    },
    TopicWords {
        name: "climate",
        words: &[
            "emissions",
            "solar",
            "drought",
            "carbon",
            "glacier",
            "wind",
            "policy",
            "heatwave",
            "reforest",
            "battery",
        ],
    },
    TopicWords {
        name: "gaming",
        words: &[
            "boss",
            "patch",
            "speedrun",
            "console",
            "quest",
            "lobby",
            "controller",
            "pixel",
            "stream",
            "respawn",
        ],
    },
    TopicWords {
        name: "cats",
        words: &["whiskers", "nap", "kitten", "purr", "box", "zoomies", "paw", "tabby", "laser", "sofa"],
    },
    TopicWords {
        name: "running",
        words: &[
            "marathon", "pace", "interval", "trail", "shoes", "stretch", "tempo", "finish", "recovery",
            "hill",
        ],
    },
    TopicWords {
        name: "books",
        words: &[
            "chapter",
            "novel",
            "author",
            "library",
            "plot",
            "memoir",
            "poem",
            "shelf",
            "translation",
            "draft",
        ],
    },
];

/// A language's tag and some of its everyday words.
pub(crate) struct Tongue {
    /// BCP 47 primary subtag.
    pub(crate) tag: &'static str,
    /// A country where it is spoken, ISO 3166, lower case.
    pub(crate) country: &'static str,
    /// Share of communities that speak it, relative to the others.
    pub(crate) share: f64,
    /// Everyday words.
    pub(crate) words: &'static [&'static str],
}

/// All languages.
pub(crate) const TONGUES: [Tongue; 6] = [
    Tongue {
        tag: "en",
        country: "us",
        share: 10.0,
        words: &[
            "the", "today", "really", "this", "about", "never", "finally", "with", "my", "some", "again",
            "what", "before", "best", "new", "just",
        ],
    },
    Tongue {
        tag: "ja",
        country: "jp",
        share: 3.0,
        words: &[
            "今日",
            "本当に",
            "これ",
            "とても",
            "好き",
            "新しい",
            "また",
            "明日",
            "見た",
            "すごい",
            "ありがとう",
            "週末",
        ],
    },
    Tongue {
        tag: "es",
        country: "es",
        share: 3.0,
        words: &[
            "hoy", "siempre", "mañana", "esto", "mejor", "nuevo", "nunca", "otra", "vez", "gracias", "para",
            "todo",
        ],
    },
    Tongue {
        tag: "pt",
        country: "br",
        share: 2.0,
        words: &[
            "hoje", "sempre", "amanhã", "isso", "melhor", "novo", "nunca", "outra", "vez", "obrigado",
            "para", "tudo",
        ],
    },
    Tongue {
        tag: "de",
        country: "de",
        share: 1.0,
        words: &[
            "heute", "immer", "morgen", "dieses", "besser", "neu", "nie", "wieder", "endlich", "danke",
            "für", "alles",
        ],
    },
    Tongue {
        tag: "fr",
        country: "fr",
        share: 1.0,
        words: &[
            "aujourd'hui",
            "toujours",
            "demain",
            "ceci",
            "mieux",
            "nouveau",
            "jamais",
            "encore",
            "enfin",
            "merci",
            "pour",
            "tout",
        ],
    },
];

/// First halves of names.
pub(crate) const FIRST_NAMES: [&str; 24] = [
    "Ada", "Bruno", "Chiyo", "Dalia", "Elio", "Farah", "Goran", "Hana", "Ivo", "Jules", "Kaia", "Luca",
    "Mira", "Nilo", "Ottilie", "Pema", "Quentin", "Rosa", "Sami", "Tove", "Umar", "Vera", "Wanda", "Yusuf",
];

/// Second halves of names.
pub(crate) const LAST_NAMES: [&str; 20] = [
    "Abara", "Brandt", "Castro", "Dubois", "Eriksen", "Fujita", "Garcia", "Hansen", "Ito", "Jansen", "Kovac",
    "Lima", "Moreau", "Novak", "Okafor", "Pereira", "Quispe", "Rossi", "Schmidt", "Tanaka",
];
