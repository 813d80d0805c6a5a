//! Named points at which a **debug build** can be told to die, as a `kill -9` would end it: no clean-up, nothing flushed.
//!
//! `FAULT_POINT=ledger.after_commit:3` ends the process when it comes to that point for the third time. Every role names
//! its own points where the order of two durable acts matters; `tests/distributed/points.py` drives all of them. In a release
//! build there is nothing of this.

/// Dies here if the process was told to.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    armed::reached(name);
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn point(_name: &'static str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| Armed::parse(&std::env::var("FAULT_POINT").ok()?));

    struct Armed {
        name: String,
        left: AtomicU64,
    }

    pub(super) fn reached(name: &str) {
        if ARMED.as_ref().is_some_and(|armed| armed.is_hit(name)) {
            tracing::error!(fault.point = name, "told to die here");
            std::process::abort();
        }
    }

    impl Armed {
        fn parse(text: &str) -> Option<Self> {
            let (name, count) = text.split_once(':').unwrap_or((text, "1"));
            Some(Self { name: name.to_owned(), left: AtomicU64::new(count.parse().ok()?) })
        }

        fn is_hit(&self, name: &str) -> bool {
            name == self.name && self.left.fetch_sub(1, Ordering::Relaxed) == 1
        }
    }

    #[cfg(test)]
    #[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
    mod tests {
        use super::*;

        #[test]
        fn a_point_is_hit_when_it_is_reached_for_the_nth_time() {
            let armed = Armed::parse("ledger.after_commit:2").unwrap();
            let hits = ["ledger.after_commit", "other", "ledger.after_commit", "ledger.after_commit"].map(|name| armed.is_hit(name));
            assert_eq!(hits, [false, false, true, false]);
            assert!(Armed::parse("other").unwrap().is_hit("other"));
        }
    }
}
