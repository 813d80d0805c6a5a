//! Who is told when an account's balance runs low, and when that is.
//!
//! A crossing is told once: after it the balance has to be well above the threshold before the next one counts, so that an
//! account that hovers about it is not told again and again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use schemas::{AccountId, NanoUsd, Timestamp};
use uuid::Uuid;

use super::credits::CREDIT_AMOUNT_MAX;
use super::secrets::{Secret, SecretError};
use super::store::Act;
use super::{Control, ControlError};

/// A balance is well above its threshold when it is above it by one part in so many.
const REARM_PARTS: i64 = 10;
/// What a webhook's secret begins with, as the Standard Webhooks specification has it.
pub const SECRET_PREFIX: &str = "whsec_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// One account's alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceAlert {
    /// Another one after it was removed and set again: crossings are counted under it.
    pub id: Uuid,
    pub account_id: AccountId,
    pub threshold: NanoUsd,
    pub url: String,
    /// Under [`BalanceAlert::id`].
    pub sealed_secret: Vec<u8>,
    /// Told, and not yet well above again.
    pub is_low: bool,
    /// Told so far.
    pub crossings: i64,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
}

/// What a balance means to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// It is below for the first time: to be told.
    Down,
    /// It is well above again: the next crossing counts.
    Up,
    Neither,
}

impl BalanceAlert {
    pub fn crossing(&self, balance: NanoUsd) -> Crossing {
        match self.is_low {
            false if balance < self.threshold => Crossing::Down,
            true if balance >= self.rearmed_at() => Crossing::Up,
            _ => Crossing::Neither,
        }
    }

    /// The balance at which the next crossing counts.
    pub fn rearmed_at(&self) -> NanoUsd {
        let margin = NanoUsd::from_nanos((self.threshold.nanos() / REARM_PARTS).max(1));
        self.threshold.saturating_add(margin)
    }

    /// The id of the next crossing's message: the same whoever decides.
    pub fn next_message_id(&self) -> String {
        format!("msg_{}_{}", self.id.simple(), self.crossings + 1)
    }
}

/// What of an alert is to change; absent stays. Both are needed to make one.
#[derive(Debug, Clone, Default)]
pub struct BalanceAlertChange {
    pub threshold: Option<NanoUsd>,
    /// It was checked.
    pub url: Option<String>,
    /// A new secret is made.
    pub new_secret: bool,
}

impl Control {
    /// Makes or changes an account's alert. The secret is answered where it is new, and never again. Where threshold or address
    /// changed, a balance that is below is told.
    pub async fn change_balance_alert(
        &self,
        act: &Act,
        account: AccountId,
        change: BalanceAlertChange,
    ) -> Result<(BalanceAlert, Option<Secret>), ControlError> {
        let mut shown = None;
        let alert = self
            .store()
            .save_balance_alert(act, account, |before| {
                let missing = |field: &str| ControlError::Invalid { field: field.to_owned(), message: "is needed".to_owned() };
                let threshold = change.threshold.or(before.map(|before| before.threshold)).ok_or_else(|| missing("threshold"))?;
                let url = change.url.or_else(|| before.map(|before| before.url.clone())).ok_or_else(|| missing("url"))?;
                if threshold <= NanoUsd::ZERO || threshold > CREDIT_AMOUNT_MAX {
                    let message = format!("must be more than 0 and at most {CREDIT_AMOUNT_MAX}");
                    return Err(ControlError::Invalid { field: "threshold".to_owned(), message });
                }
                let id = before.map_or_else(Uuid::now_v7, |before| before.id);
                let sealed_secret = match before {
                    Some(before) if !change.new_secret => before.sealed_secret.clone(),
                    _ => {
                        let secret = mint_secret()?;
                        let sealed = self.secret_key().seal(&id.to_string(), &secret)?;
                        shown = Some(secret);
                        sealed
                    }
                };
                let is_low = before.is_some_and(|before| before.is_low && before.threshold == threshold && before.url == url);
                Ok(BalanceAlert {
                    id,
                    account_id: account,
                    threshold,
                    url,
                    sealed_secret,
                    is_low,
                    crossings: before.map_or(0, |before| before.crossings),
                    created_at: before.map_or(act.at, |before| before.created_at),
                    updated_at: before.map(|_| act.at),
                })
            })
            .await?;
        Ok((alert, shown))
    }

    /// Seals every secret anew with the present secret key.
    pub(super) async fn reseal_balance_alerts(&self) -> Result<(), ControlError> {
        let key = self.secret_key();
        let mut resealed = Vec::new();
        for alert in self.store().balance_alerts().await? {
            let row_id = alert.id.to_string();
            resealed.push((alert.id, key.seal(&row_id, &key.open(&row_id, &alert.sealed_secret)?)?));
        }
        Ok(self.store().reseal_balance_alerts(&resealed).await?)
    }
}

/// A new secret, in the form receivers' libraries take.
pub fn mint_secret() -> Result<Secret, SecretError> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; SECRET_BYTES]);
    OsRng.try_fill_bytes(&mut *bytes).map_err(|_| SecretError::Cryptography)?;
    Ok(Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes.as_slice()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(is_low: bool) -> BalanceAlert {
        BalanceAlert {
            id: Uuid::from_u128(7),
            account_id: AccountId::SYSTEM,
            threshold: NanoUsd::from_usd(10),
            url: String::new(),
            sealed_secret: Vec::new(),
            is_low,
            crossings: 2,
            created_at: Timestamp::default(),
            updated_at: None,
        }
    }

    fn nanos(amount: i64) -> NanoUsd {
        NanoUsd::from_nanos(amount)
    }

    #[test]
    fn a_crossing_counts_once_until_the_balance_is_well_above() {
        assert_eq!(alert(false).crossing(NanoUsd::from_usd(10)), Crossing::Neither, "at the threshold is not below it");
        assert_eq!(alert(false).crossing(nanos(9_999_999_999)), Crossing::Down);
        for still_low in [nanos(-1), nanos(9_999_999_999), NanoUsd::from_usd(10), nanos(10_999_999_999)] {
            assert_eq!(alert(true).crossing(still_low), Crossing::Neither, "{still_low}");
        }
        assert_eq!(alert(true).crossing(NanoUsd::from_usd(11)), Crossing::Up);
        assert_eq!(alert(false).crossing(NanoUsd::from_usd(11)), Crossing::Neither);
    }

    #[test]
    fn a_crossing_has_one_id() {
        assert_eq!(alert(false).next_message_id(), "msg_00000000000000000000000000000007_3");
    }
}
