//! The functions that the server runs, in one library.
//!
//! The library is named by its text, so that builds of two versions can run side by side; a server keeps it with its data.

const PIECES: [&str; 23] = [
    // What all of them need, in this order.
    include_str!("lua/server.lua"),
    include_str!("lua/exact.lua"),
    include_str!("lua/call.lua"),
    include_str!("lua/rate.lua"),
    include_str!("lua/account.lua"),
    include_str!("lua/limits.lua"),
    include_str!("lua/free.lua"),
    include_str!("lua/reserve.lua"),
    include_str!("lua/resize.lua"),
    include_str!("lua/count_free.lua"),
    include_str!("lua/renew.lua"),
    include_str!("lua/settle.lua"),
    include_str!("lua/release.lua"),
    include_str!("lua/expire.lua"),
    include_str!("lua/post.lua"),
    include_str!("lua/overdue.lua"),
    include_str!("lua/unposted.lua"),
    include_str!("lua/amounts.lua"),
    include_str!("lua/free_requests.lua"),
    include_str!("lua/key_spend.lua"),
    include_str!("lua/key_find.lua"),
    include_str!("lua/begin.lua"),
    include_str!("lua/learning.lua"),
];
/// Of them, those that all functions share: the others' local names are their own.
const SHARED: usize = 7;

/// A library and the names of its functions.
pub(super) struct Library {
    pub name: String,
    pub text: String,
    pub vouch: String,
    pub reserve: String,
    pub resize: String,
    pub count_free: String,
    pub renew: String,
    pub settle: String,
    pub release: String,
    pub expire: String,
    pub post: String,
    pub overdue: String,
    pub unposted: String,
    pub amounts: String,
    pub free_requests: String,
    pub key_spend: String,
    pub key_find: String,
    pub begin: String,
    pub learning: String,
}

impl Library {
    pub fn new() -> Self {
        let (shared, functions) = PIECES.split_at(SHARED);
        let mut body = shared.join("\n");
        for function in functions {
            body.push_str("\ndo\n");
            body.push_str(function);
            body.push_str("end\n");
        }
        let hash = redis::Script::new(&body).get_hash().to_owned();
        let library = format!("tollgate_{hash}");
        let name = |function: &str| format!("{library}_{function}");
        Self {
            text: format!("#!lua name={library}\nlocal FUNCTION_PREFIX = '{}'\n{body}", name("")),
            vouch: name("vouch"),
            reserve: name("reserve"),
            resize: name("resize"),
            count_free: name("count_free"),
            renew: name("renew"),
            settle: name("settle"),
            release: name("release"),
            expire: name("expire"),
            post: name("post"),
            overdue: name("overdue"),
            unposted: name("unposted"),
            amounts: name("amounts"),
            free_requests: name("free_requests"),
            key_spend: name("key_spend"),
            key_find: name("key_find"),
            begin: name("begin"),
            learning: name("learning"),
            name: library,
        }
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Library")
    }
}
