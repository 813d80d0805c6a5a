//! The scripts, each with the pieces it needs in front of it.
//!
//! A script is called by the hash of its text, so that builds of two versions can run side by side.

macro_rules! script {
    ($($piece:literal),+) => {
        Script::new(concat!($(include_str!(concat!("lua/", $piece)), "\n"),+))
    };
}

/// A script's text and the hash it is called by.
pub(super) struct Script {
    pub text: &'static str,
    pub hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }
}

/// Scripts and their names in errors and logs.
pub(super) struct Scripts {
    pub reserve: Script,
    pub resize: Script,
    pub count_free: Script,
    pub renew: Script,
    pub settle: Script,
    pub release: Script,
    pub expire: Script,
    pub post: Script,
    pub overdue: Script,
    pub unposted: Script,
    pub amounts: Script,
    pub free_requests: Script,
    pub key_spend: Script,
    pub key_find: Script,
    pub begin: Script,
    pub learning: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            reserve: script!("exact.lua", "rate.lua", "account.lua", "limits.lua", "free.lua", "reserve.lua"),
            resize: script!("exact.lua", "rate.lua", "account.lua", "limits.lua", "resize.lua"),
            count_free: script!("exact.lua", "rate.lua", "account.lua", "limits.lua", "free.lua", "count_free.lua"),
            renew: script!("exact.lua", "rate.lua", "account.lua", "renew.lua"),
            settle: script!("exact.lua", "rate.lua", "account.lua", "settle.lua"),
            release: script!("exact.lua", "rate.lua", "account.lua", "release.lua"),
            expire: script!("exact.lua", "rate.lua", "account.lua", "expire.lua"),
            post: script!("exact.lua", "rate.lua", "account.lua", "post.lua"),
            overdue: script!("exact.lua", "rate.lua", "account.lua", "overdue.lua"),
            unposted: script!("exact.lua", "rate.lua", "account.lua", "unposted.lua"),
            amounts: script!("exact.lua", "rate.lua", "account.lua", "amounts.lua"),
            free_requests: script!("exact.lua", "rate.lua", "account.lua", "limits.lua", "free.lua", "free_requests.lua"),
            key_spend: script!("exact.lua", "rate.lua", "account.lua", "key_spend.lua"),
            key_find: script!("exact.lua", "rate.lua", "account.lua", "key_find.lua"),
            begin: script!("exact.lua", "rate.lua", "account.lua", "begin.lua"),
            learning: script!("learning.lua"),
        }
    }

    pub fn all(&self) -> [&Script; 16] {
        [
            &self.reserve,
            &self.resize,
            &self.count_free,
            &self.renew,
            &self.settle,
            &self.release,
            &self.expire,
            &self.post,
            &self.overdue,
            &self.unposted,
            &self.amounts,
            &self.free_requests,
            &self.key_spend,
            &self.key_find,
            &self.begin,
            &self.learning,
        ]
    }
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Scripts")
    }
}
