//! Sign-ins at identity providers that are under way: each state is used once.

use schemas::{Timestamp, UserId};
use sqlx::FromRow;

use super::{ControlStore, StoreError, in_transaction, parsed, writing};

const TABLE: &str = "control_sign_in_states";

/// What is kept between a browser's leaving for a provider and its coming back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInState {
    pub state_sha256: String,
    /// Of the cookie that the browser was given along.
    pub browser_sha256: String,
    pub provider: String,
    pub nonce: String,
    pub verifier: String,
    /// A path of ours.
    pub return_to: String,
    /// Somebody who was signed in and links themselves.
    pub link_user_id: Option<UserId>,
    pub expires_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    state_sha256: String,
    browser_sha256: String,
    provider: String,
    nonce: String,
    verifier: String,
    return_to: String,
    link_user_id: Option<String>,
    expires_at: i64,
}

impl ControlStore {
    pub async fn insert_sign_in_state(&self, state: &SignInState, now: Timestamp) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM control_sign_in_states WHERE expires_at < $1";
        const INSERT: &str = "INSERT INTO control_sign_in_states (state_sha256, browser_sha256, provider, nonce, verifier, return_to, \
                 link_user_id, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        writing!(self, pool => {
            sqlx::query(FORGET).bind(now.micros()).execute(pool).await?;
            let insert = sqlx::query(INSERT).bind(&state.state_sha256).bind(&state.browser_sha256).bind(&state.provider);
            let insert = insert.bind(&state.nonce).bind(&state.verifier).bind(&state.return_to);
            let insert = insert.bind(state.link_user_id.map(|user| user.uuid().to_string()));
            insert.bind(state.expires_at.micros()).execute(pool).await?;
        });
        Ok(())
    }

    /// Takes a state out: whoever comes second finds none.
    pub async fn take_sign_in_state(&self, state_sha256: &str) -> Result<Option<SignInState>, StoreError> {
        const SELECT: &str = "SELECT state_sha256, browser_sha256, provider, nonce, verifier, return_to, link_user_id, expires_at \
             FROM control_sign_in_states WHERE state_sha256 = $1";
        const DELETE: &str = "DELETE FROM control_sign_in_states WHERE state_sha256 = $1";
        let row: Option<Row> = in_transaction!(self, transaction => {
            let row = sqlx::query_as(SELECT).bind(state_sha256).fetch_optional(&mut *transaction).await?;
            sqlx::query(DELETE).bind(state_sha256).execute(&mut *transaction).await?;
            row
        });
        row.map(|row| {
            Ok(SignInState {
                state_sha256: row.state_sha256,
                browser_sha256: row.browser_sha256,
                provider: row.provider,
                nonce: row.nonce,
                verifier: row.verifier,
                return_to: row.return_to,
                link_user_id: row.link_user_id.map(|text| parsed(TABLE, "link_user_id", &text, |text| text.parse().ok())).transpose()?,
                expires_at: Timestamp::from_micros(row.expires_at),
            })
        })
        .transpose()
    }
}
