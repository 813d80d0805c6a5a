//! Browsers that are signed in.

use schemas::{Timestamp, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Act, ControlStore, StoreError, in_transaction, parsed, reading, record_act, writing};
use crate::control::people::SessionRecord;

const TABLE: &str = "control_sessions";
/// Of one person, shown and kept at most; the oldest go first.
pub const SESSIONS_MAX: i64 = 100;
/// Old rows removed in one round.
const FORGOTTEN_MAX: i64 = 10_000;

#[derive(FromRow)]
struct Row {
    id: String,
    user_id: String,
    refresh_sha256: String,
    user_agent: String,
    address: String,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for SessionRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, |text| Uuid::parse_str(text).ok())?,
            user_id: parsed(TABLE, "user_id", &row.user_id, |text| text.parse().ok())?,
            refresh_sha256: row.refresh_sha256,
            user_agent: row.user_agent,
            address: row.address,
            created_at: Timestamp::from_micros(row.created_at),
            last_seen_at: Timestamp::from_micros(row.last_seen_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            revoked_at: row.revoked_at.map(Timestamp::from_micros),
        })
    }
}

macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, refresh_sha256, user_agent, address, created_at, last_seen_at, expires_at, revoked_at ",
            "FROM control_sessions ",
            $rest
        )
    };
}

impl ControlStore {
    /// Adds a session. Of somebody who has too many, the oldest end.
    pub async fn insert_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO control_sessions (id, user_id, refresh_sha256, user_agent, address, created_at, last_seen_at, \
                 expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)";
        const DELETE: &str = "DELETE FROM control_sessions WHERE user_id = $1 AND id NOT IN \
             (SELECT id FROM control_sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)";
        let user = session.user_id.uuid().to_string();
        in_transaction!(self, transaction => {
            let insert = sqlx::query(INSERT).bind(session.id.to_string()).bind(&user).bind(&session.refresh_sha256);
            let insert = insert.bind(&session.user_agent).bind(&session.address).bind(session.created_at.micros());
            insert.bind(session.expires_at.micros()).execute(&mut *transaction).await?;
            sqlx::query(DELETE).bind(&user).bind(SESSIONS_MAX).execute(&mut *transaction).await?;
        });
        Ok(())
    }

    pub async fn session(&self, id: Uuid) -> Result<Option<SessionRecord>, StoreError> {
        const SELECT: &str = select_sessions!("WHERE id = $1");
        let row: Option<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(id.to_string()).fetch_optional(pool).await?);
        row.map(SessionRecord::try_from).transpose()
    }

    /// The session of a refresh token, by its hash.
    pub async fn session_by_refresh(&self, refresh_sha256: &str) -> Result<Option<SessionRecord>, StoreError> {
        const SELECT: &str = select_sessions!("WHERE refresh_sha256 = $1");
        let row: Option<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(refresh_sha256).fetch_optional(pool).await?);
        row.map(SessionRecord::try_from).transpose()
    }

    /// The good sessions of somebody, newest first.
    pub async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        const SELECT: &str =
            select_sessions!("WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3");
        let user = user.uuid().to_string();
        let rows: Vec<Row> = reading!(self, pool => {
            sqlx::query_as(SELECT).bind(user).bind(now.micros()).bind(SESSIONS_MAX).fetch_all(pool).await?
        });
        rows.into_iter().map(SessionRecord::try_from).collect()
    }

    /// Notes that a session was renewed, and from where. No act of administration: nothing is recorded.
    pub async fn touch_session(&self, id: Uuid, at: Timestamp, address: &str) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_sessions SET last_seen_at = $2, address = $3 WHERE id = $1 AND last_seen_at < $2";
        writing!(self, pool => {
            sqlx::query(UPDATE).bind(id.to_string()).bind(at.micros()).bind(address).execute(pool).await?;
        });
        Ok(())
    }

    /// Ends sessions of somebody: one, or all but one, or all. Says how many it was.
    pub async fn revoke_sessions(&self, act: &Act, user: UserId, which: Sessions) -> Result<u64, StoreError> {
        const UPDATE: &str = "UPDATE control_sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL \
             AND ($3 IS NULL OR id = $3) AND ($4 IS NULL OR id <> $4)";
        let (only, but) = match which {
            Sessions::One(id) => (Some(id.to_string()), None),
            Sessions::AllBut(id) => (None, Some(id.to_string())),
            Sessions::All => (None, None),
        };
        let id = user.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let update = sqlx::query(UPDATE).bind(&id).bind(act.at.micros()).bind(&only).bind(&but);
            let ended = update.execute(&mut *transaction).await?.rows_affected();
            if ended > 0 {
                record_act!(transaction, act, "session.revoked", &id, None::<&u64>, Some(&ended));
            }
            ended
        }))
    }

    /// Removes sessions that ended before, a bounded number at a time.
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM control_sessions WHERE id IN \
             (SELECT id FROM control_sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
        writing!(self, pool => {
            sqlx::query(DELETE).bind(before.micros()).bind(FORGOTTEN_MAX).execute(pool).await?;
        });
        Ok(())
    }
}

/// Which sessions of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    One(Uuid),
    AllBut(Uuid),
    All,
}
