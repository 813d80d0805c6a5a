//! The models the demo provider offers, as data for the catalog.

/// One demo model. Prices are dollars per million tokens as decimal text; `None` is explicitly free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoModel {
    /// The public id.
    pub id: &'static str,
    /// The name sent upstream, which for once is us.
    pub upstream: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub context_length: u64,
    pub max_completion_tokens: u64,
    pub price: Option<DemoPrice>,
    /// Whether it reasons before it answers.
    pub thinks: bool,
    /// Of a hundred requests so many fail, always the same ones.
    pub fails_in_hundred: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoPrice {
    pub prompt: &'static str,
    pub completion: &'static str,
    pub cache_read: &'static str,
}

/// Every model on offer.
pub const MODELS: [DemoModel; 3] = [
    DemoModel {
        id: "demo/quick",
        upstream: "quick",
        name: "Demo: Quick",
        description: "Built into Tollgate: canned answers, streamed and billed like real ones. No account needed.",
        context_length: 128_000,
        max_completion_tokens: 16_384,
        price: Some(DemoPrice { prompt: "0.15", completion: "0.60", cache_read: "0.075" }),
        thinks: false,
        fails_in_hundred: 0,
    },
    DemoModel {
        id: "demo/thinker",
        upstream: "thinker",
        name: "Demo: Thinker",
        description: "Built into Tollgate: shows some reasoning before its canned answer. No account needed.",
        context_length: 200_000,
        max_completion_tokens: 64_000,
        price: Some(DemoPrice { prompt: "1.25", completion: "10", cache_read: "0.125" }),
        thinks: true,
        fails_in_hundred: 0,
    },
    DemoModel {
        id: "demo/quick:free",
        upstream: "quick:free",
        name: "Demo: Quick (free)",
        description: "Built into Tollgate: the quick demo model at no price at all.",
        context_length: 32_768,
        max_completion_tokens: 4_096,
        price: None,
        thinks: false,
        fails_in_hundred: 0,
    },
];

/// The model that makes embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoEmbeddingModel {
    pub id: &'static str,
    pub upstream: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    /// Of one text.
    pub context_length: u64,
    /// Of its vectors, unless fewer are asked for.
    pub dimensions: usize,
    /// Dollars per million tokens.
    pub price: &'static str,
}

pub const EMBEDDING: DemoEmbeddingModel = DemoEmbeddingModel {
    id: "demo/embed",
    upstream: "embed",
    name: "Demo: Embed",
    description: "Built into Tollgate: vectors of texts; those that share words are near each other. No account needed.",
    context_length: 8_192,
    dimensions: 512,
    price: "0.02",
};

/// [`MODELS`]' first with bad days, so that failover and uptime have something to show. No deployment offers it by itself: a
/// channel has to name it as a model's `upstream`.
pub const UNSTEADY: DemoModel = DemoModel { upstream: "unsteady", fails_in_hundred: 12, ..MODELS[0] };

/// The model of a name, upstream or public. A channel may offer the demo under names of its own: those
/// answer like the first one.
pub fn find(name: &str) -> &'static DemoModel {
    if name == UNSTEADY.upstream {
        return &UNSTEADY;
    }
    MODELS.iter().find(|model| model.upstream == name || model.id == name).unwrap_or(&MODELS[0])
}
