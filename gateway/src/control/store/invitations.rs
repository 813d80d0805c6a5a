//! Invitations into accounts.

use schemas::{AccountId, Timestamp, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Act, ControlStore, StoreError, in_transaction, is_unique_violation, parsed, reading, record_act};
use crate::control::people::{Invitation, Membership, Role, User};

const TABLE: &str = "control_invitations";
/// Open invitations of one account.
pub const INVITATIONS_MAX: i64 = 200;

#[derive(FromRow)]
struct Row {
    id: String,
    account_id: String,
    email: String,
    role: String,
    token_sha256: String,
    invited_by: String,
    created_at: i64,
    expires_at: i64,
    accepted_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for Invitation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, |text| Uuid::parse_str(text).ok())?,
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            email: row.email,
            role: parsed(TABLE, "role", &row.role, Role::parse)?,
            token_sha256: row.token_sha256,
            invited_by: parsed(TABLE, "invited_by", &row.invited_by, |text| text.parse().ok())?,
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            accepted_at: row.accepted_at.map(Timestamp::from_micros),
            revoked_at: row.revoked_at.map(Timestamp::from_micros),
        })
    }
}

macro_rules! select_invitations {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, email, role, token_sha256, invited_by, created_at, expires_at, accepted_at, revoked_at ",
            "FROM control_invitations ",
            $rest
        )
    };
}

impl ControlStore {
    pub async fn insert_invitation(&self, act: &Act, invitation: &Invitation) -> Result<(), StoreError> {
        const OPEN: &str = "SELECT COUNT(*) FROM control_invitations WHERE account_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL \
             AND expires_at > $2";
        const INSERT: &str = "INSERT INTO control_invitations (id, account_id, email, role, token_sha256, invited_by, created_at, \
                 expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let account = invitation.account_id.uuid().to_string();
        in_transaction!(self, transaction => {
            let open: i64 = sqlx::query_scalar(OPEN).bind(&account).bind(act.at.micros()).fetch_one(&mut *transaction).await?;
            if open >= INVITATIONS_MAX {
                return Err(StoreError::TooMany { what: "open invitations", limit: INVITATIONS_MAX });
            }
            let insert = sqlx::query(INSERT).bind(invitation.id.to_string()).bind(&account).bind(&invitation.email);
            let insert = insert.bind(invitation.role.as_str()).bind(&invitation.token_sha256);
            let insert = insert.bind(invitation.invited_by.uuid().to_string()).bind(invitation.created_at.micros());
            insert.bind(invitation.expires_at.micros()).execute(&mut *transaction).await?;
            record_act!(transaction, act, "invitation.created", &account, None::<&Invitation>, Some(invitation));
        });
        Ok(())
    }

    /// The open invitations of an account, newest first.
    pub async fn invitations(&self, account: AccountId, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
        const SELECT: &str = select_invitations!(
            "WHERE account_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3"
        );
        let account = account.uuid().to_string();
        let rows: Vec<Row> = reading!(self, pool => {
            sqlx::query_as(SELECT).bind(account).bind(now.micros()).bind(INVITATIONS_MAX).fetch_all(pool).await?
        });
        rows.into_iter().map(Invitation::try_from).collect()
    }

    pub async fn invitation_by_token(&self, token_sha256: &str) -> Result<Option<Invitation>, StoreError> {
        const SELECT: &str = select_invitations!("WHERE token_sha256 = $1");
        let row: Option<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(token_sha256).fetch_optional(pool).await?);
        row.map(Invitation::try_from).transpose()
    }

    pub async fn revoke_invitation(&self, act: &Act, account: AccountId, id: Uuid) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_invitations SET revoked_at = $3 WHERE id = $1 AND account_id = $2 AND accepted_at IS NULL \
             AND revoked_at IS NULL";
        let account = account.uuid().to_string();
        in_transaction!(self, transaction => {
            let update = sqlx::query(UPDATE).bind(id.to_string()).bind(&account).bind(act.at.micros());
            if update.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Err(StoreError::Missing { what: "invitation", name: id.to_string() });
            }
            record_act!(transaction, act, "invitation.revoked", &account, Some(&id), None::<&Uuid>);
        });
        Ok(())
    }

    /// Takes somebody into the account they were invited to, once. `new` is the person when they are not known yet.
    pub async fn accept_invitation(&self, act: &Act, invitation: &Invitation, user: UserId, new: Option<&User>) -> Result<(), StoreError> {
        const ACCEPT: &str = "UPDATE control_invitations SET accepted_at = $2 WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL \
             AND expires_at > $2";
        const INSERT_USER: &str = "INSERT INTO control_users (id, account_id, email, name, role, password_hash, status, created_at) \
             VALUES ($1, $2, $3, $4, 'member', $5, 'active', $6)";
        const JOIN: &str = "INSERT INTO control_memberships (account_id, user_id, role, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account_id, user_id) DO NOTHING";
        let (account, user_id) = (invitation.account_id.uuid().to_string(), user.uuid().to_string());
        in_transaction!(self, transaction => {
            let accept = sqlx::query(ACCEPT).bind(invitation.id.to_string()).bind(act.at.micros());
            if accept.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Err(StoreError::Missing { what: "invitation", name: invitation.id.to_string() });
            }
            if let Some(new) = new {
                let insert = sqlx::query(INSERT_USER).bind(&user_id).bind(&account).bind(&new.email).bind(&new.name);
                match insert.bind(&new.password_hash).bind(act.at.micros()).execute(&mut *transaction).await {
                    Ok(_) => {}
                    Err(error) if is_unique_violation(&error) => {
                        return Err(StoreError::Exists { what: "user", name: new.email.clone() });
                    }
                    Err(error) => return Err(error.into()),
                }
                record_act!(transaction, act, "user.created", &user_id, None::<&User>, Some(new));
            }
            let join = sqlx::query(JOIN).bind(&account).bind(&user_id).bind(invitation.role.as_str()).bind(act.at.micros());
            if join.execute(&mut *transaction).await?.rows_affected() == 0 {
                // The invitation stays open: nothing became of it.
                return Err(StoreError::Exists { what: "member", name: user.to_string() });
            }
            let membership =
                Membership { account_id: invitation.account_id, user_id: user, role: invitation.role, created_at: act.at };
            record_act!(transaction, act, "member.added", &account, None::<&Membership>, Some(&membership));
        });
        Ok(())
    }
}
