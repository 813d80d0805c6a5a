//! Names of keys, and which shard an account or a key is in.
//!
//! Every key of a function has the hash tag of its shard, so that a shard is one slot of a cluster and a
//! function is atomic over all that it reads. **Shards, not accounts, are tagged**: an account's state, the
//! indexes that find it and the epoch that vouches for it change together or not at all.

use schemas::{AccountId, KeyId, RequestId};

#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    shards: u128,
}

/// A slot's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard(pub usize);

impl Names {
    pub fn new(prefix: &str, shards: usize) -> Self {
        Self { prefix: prefix.to_owned(), shards: shards.max(1) as u128 }
    }

    pub fn shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.shards as usize).map(Shard)
    }

    pub fn shard_count(&self) -> usize {
        self.shards as usize
    }

    /// The low bits of a UUIDv7 are random.
    pub fn of_account(&self, account_id: AccountId) -> Shard {
        Shard((account_id.uuid().as_u128() % self.shards) as usize)
    }

    pub fn of_key(&self, key_id: KeyId) -> Shard {
        Shard((key_id.uuid().as_u128() % self.shards) as usize)
    }

    /// Hash: epoch, open (`0` closed, `L` learning, `1` open), tick, run, shards.
    pub fn gate(&self, shard: Shard) -> String {
        self.name(shard, "gate")
    }

    /// Sets of accounts (set) and of account and request by time (sorted), in the functions' order.
    pub fn common(&self, shard: Shard) -> [String; 5] {
        ["gate", "due", "pending", "tombstones", "accounts"].map(|name| self.name(shard, name))
    }

    pub fn accounts(&self, shard: Shard) -> String {
        self.name(shard, "accounts")
    }

    pub fn pending(&self, shard: Shard) -> String {
        self.name(shard, "pending")
    }

    pub fn tombstones(&self, shard: Shard) -> String {
        self.name(shard, "tombstones")
    }

    pub fn account(&self, account_id: AccountId) -> String {
        format!("{}{}", self.account_prefix(self.of_account(account_id)), account_id.uuid().simple())
    }

    pub fn account_prefix(&self, shard: Shard) -> String {
        self.name(shard, "account:")
    }

    /// Hash: what is known of keys outside their accounts.
    pub fn keys(&self, shard: Shard) -> String {
        self.name(shard, "keys")
    }

    /// Hash by node, in the first shard.
    pub fn announced(&self, shard: Shard) -> String {
        self.name(shard, "announced")
    }

    pub fn generation(&self, request_id: RequestId) -> String {
        format!("{}:generation:{}", self.prefix, request_id.uuid().simple())
    }

    fn name(&self, shard: Shard, name: &str) -> String {
        format!("{}:{{{}}}:{name}", self.prefix, shard.0)
    }
}
