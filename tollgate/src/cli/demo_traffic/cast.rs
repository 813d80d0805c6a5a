//! Who plays: accounts, their keys and apps, and the models of a played deployment. Invented names only.

/// An account and how it came to its money.
#[derive(Debug)]
pub struct AccountRole {
    /// `None`: the deployment's first account.
    pub name: Option<&'static str>,
    /// US dollars. One has so little that it is refused in the end.
    pub credit: &'static str,
    /// Its share of all requests.
    pub weight: u32,
    pub keys: &'static [&'static str],
}

pub const ACCOUNTS: [AccountRole; 5] = [
    AccountRole { name: None, credit: "40.00", weight: 30, keys: &["laptop", "batch jobs"] },
    AccountRole { name: Some("Nordwind Labs"), credit: "120.00", weight: 34, keys: &["production", "staging"] },
    AccountRole { name: Some("Harbor & Finch"), credit: "60.00", weight: 20, keys: &["support desk"] },
    AccountRole { name: Some("Kestrel Games"), credit: "35.00", weight: 12, keys: &["npc dialogue", "moderation"] },
    AccountRole { name: Some("Studio Momiji"), credit: "0.02", weight: 4, keys: &["sketches"] },
];

/// The calling app, as `HTTP-Referer` and `X-Title` tell it.
#[derive(Debug)]
pub struct App {
    pub url: Option<&'static str>,
    pub title: Option<&'static str>,
    pub weight: u32,
}

pub const APPS: [App; 7] = [
    App { url: Some("https://chat.fernweh.example"), title: Some("Fernweh Chat"), weight: 28 },
    App { url: Some("https://review.kestrel.example"), title: Some("Kestrel Review"), weight: 19 },
    App { url: Some("https://nightdesk.example"), title: Some("Night Desk"), weight: 15 },
    App { url: Some("https://papertrail.example/app"), title: None, weight: 10 },
    App { url: None, title: Some("Marginalia"), weight: 8 },
    App { url: None, title: Some("茶馆"), weight: 6 },
    App { url: None, title: None, weight: 14 },
];

/// Channels that a played deployment gets beside the built-in one: the demo provider under other names, twice, one of them
/// unsteady. Prices are dollars per million tokens.
pub const CHANNELS: [(&str, &str, i32, &[ModelRole]); 2] = [
    (
        "demo-north",
        "North (demo)",
        0,
        &[
            ModelRole { id: "aurora/polar-2", upstream: "unsteady", price: ("2.50", "10.00"), name: "Aurora: Polar 2" },
            ModelRole { id: "aurora/polar-2-mini", upstream: "quick", price: ("0.40", "1.60"), name: "Aurora: Polar 2 Mini" },
            ModelRole { id: "lyra/verse-3", upstream: "thinker", price: ("3.00", "15.00"), name: "Lyra: Verse 3" },
            ModelRole { id: "lyra/verse-3-lite", upstream: "quick", price: ("0.25", "1.25"), name: "Lyra: Verse 3 Lite" },
        ],
    ),
    (
        "demo-south",
        "South (demo)",
        1,
        &[
            ModelRole { id: "aurora/polar-2", upstream: "quick", price: ("2.50", "10.00"), name: "Aurora: Polar 2" },
            ModelRole { id: "kite/weaver-70b", upstream: "unsteady", price: ("0.35", "0.40"), name: "Kite: Weaver 70B" },
            ModelRole { id: "orchid/poet", upstream: "thinker", price: ("0.55", "2.19"), name: "Orchid: Poet" },
        ],
    ),
];

/// One model of such a channel.
#[derive(Debug)]
pub struct ModelRole {
    pub id: &'static str,
    /// The demo model that answers.
    pub upstream: &'static str,
    /// Prompt and completion.
    pub price: (&'static str, &'static str),
    pub name: &'static str,
}

/// What is said.
pub const QUESTIONS: [&str; 16] = [
    "Summarise the minutes of yesterday's planning meeting in three sentences.",
    "Why does my build fail with a linker error after the upgrade?",
    "Write a friendly reply to a customer whose parcel is late.",
    "What is the difference between a hold and a charge?",
    "帮我把这段话翻译成英文：春眠不觉晓，处处闻啼鸟。",
    "Suggest five names for a small bakery by the harbor.",
    "Explain how a hash chain proves that nothing was changed.",
    "请用三句话解释什么是复式记账。",
    "Refactor this loop so that it does not allocate.",
    "Draft release notes for version 2.4 from these commits.",
    "Is this message spam? Answer yes or no: You have won a cruise!",
    "Give me a regular expression for ISO 8601 dates.",
    "Plan a weekend in Lisbon with two children and no car.",
    "写一首关于秋天的短诗。",
    "What should I check before I sign a lease?",
    "Turn this bug report into steps to reproduce.",
];
