//! Who belongs to which account, as what.

use schemas::{AccountId, Timestamp, UserId};
use sqlx::FromRow;

use super::{Act, ControlStore, StoreError, in_transaction, parsed, reading, record_act};
use crate::control::account::AccountStatus;
use crate::control::people::{Membership, Role};

pub(super) const INSERT: &str = "INSERT INTO control_memberships (account_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)";
const TABLE: &str = "control_memberships";

/// An account as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAccount {
    pub id: AccountId,
    pub name: String,
    pub status: AccountStatus,
    pub role: Role,
}

/// A member as the others of the account see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user_id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub joined_at: Timestamp,
}

#[derive(FromRow)]
struct AccountRow {
    id: String,
    name: String,
    status: String,
    role: String,
}

#[derive(FromRow)]
struct MemberRow {
    user_id: String,
    name: String,
    email: String,
    role: String,
    created_at: i64,
}

impl TryFrom<AccountRow> for MemberAccount {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "account_id", &row.id, |text| text.parse().ok())?,
            name: row.name,
            status: parsed("control_accounts", "status", &row.status, AccountStatus::parse)?,
            role: parsed(TABLE, "role", &row.role, Role::parse)?,
        })
    }
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;

    fn try_from(row: MemberRow) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: parsed(TABLE, "user_id", &row.user_id, |text| text.parse().ok())?,
            name: row.name,
            email: row.email,
            role: parsed(TABLE, "role", &row.role, Role::parse)?,
            joined_at: Timestamp::from_micros(row.created_at),
        })
    }
}

impl ControlStore {
    /// The accounts somebody belongs to, oldest membership first.
    pub async fn accounts_of(&self, user: UserId) -> Result<Vec<MemberAccount>, StoreError> {
        const SELECT: &str = "SELECT account.id, account.name, account.status, membership.role FROM control_memberships membership \
             JOIN control_accounts account ON account.id = membership.account_id WHERE membership.user_id = $1 \
             ORDER BY membership.created_at, account.id";
        let user = user.uuid().to_string();
        let rows: Vec<AccountRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(user).fetch_all(pool).await?);
        rows.into_iter().map(MemberAccount::try_from).collect()
    }

    /// Everybody in an account, first come first.
    pub async fn members(&self, account: AccountId) -> Result<Vec<Member>, StoreError> {
        const SELECT: &str = "SELECT membership.user_id, person.name, person.email, membership.role, membership.created_at \
             FROM control_memberships membership JOIN control_users person ON person.id = membership.user_id \
             WHERE membership.account_id = $1 ORDER BY membership.created_at, membership.user_id";
        let account = account.uuid().to_string();
        let rows: Vec<MemberRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(account).fetch_all(pool).await?);
        rows.into_iter().map(Member::try_from).collect()
    }

    /// Gives somebody a role, or with `None` takes them out. `by` is the role of whoever does it: nobody changes those
    /// above them, and an account keeps an owner who can sign in.
    pub async fn set_role(&self, act: &Act, account: AccountId, user: UserId, role: Option<Role>, by: Role) -> Result<(), StoreError> {
        const SELECT: &str = "SELECT role FROM control_memberships WHERE account_id = $1 AND user_id = $2";
        const OWNERS: &str = "SELECT COUNT(*) FROM control_memberships membership JOIN control_users person \
                 ON person.id = membership.user_id \
             WHERE membership.account_id = $1 AND membership.role = 'owner' AND membership.user_id <> $2 AND person.status = 'active'";
        const UPDATE: &str = "UPDATE control_memberships SET role = $3 WHERE account_id = $1 AND user_id = $2";
        const DELETE: &str = "DELETE FROM control_memberships WHERE account_id = $1 AND user_id = $2";
        let (account_id, user_id) = (account.uuid().to_string(), user.uuid().to_string());
        in_transaction!(self, transaction => {
            let before: Option<String> =
                sqlx::query_scalar(SELECT).bind(&account_id).bind(&user_id).fetch_optional(&mut *transaction).await?;
            let before = before.ok_or_else(|| StoreError::Missing { what: "member", name: user.to_string() })?;
            let before = parsed(TABLE, "role", &before, Role::parse)?;
            if !by.manages(before) || role.is_some_and(|role| !by.manages(role)) {
                return Err(StoreError::Above(before.as_str()));
            }
            if before == Role::Owner && role != Some(Role::Owner) {
                let others: i64 = sqlx::query_scalar(OWNERS).bind(&account_id).bind(&user_id).fetch_one(&mut *transaction).await?;
                if others == 0 {
                    return Err(StoreError::Last("owner of the account"));
                }
            }
            let shown = |role| Membership { account_id: account, user_id: user, role, created_at: act.at };
            match role {
                Some(role) => {
                    let update = sqlx::query(UPDATE).bind(&account_id).bind(&user_id).bind(role.as_str());
                    update.execute(&mut *transaction).await?;
                    record_act!(transaction, act, "member.changed", &account_id, Some(&shown(before)), Some(&shown(role)));
                }
                None => {
                    sqlx::query(DELETE).bind(&account_id).bind(&user_id).execute(&mut *transaction).await?;
                    record_act!(transaction, act, "member.removed", &account_id, Some(&shown(before)), None::<&Membership>);
                }
            }
        });
        Ok(())
    }
}
