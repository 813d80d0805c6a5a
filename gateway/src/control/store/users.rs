//! People, and who they are at identity providers.

use schemas::{AccountId, Timestamp, UserId};
use sqlx::FromRow;

use super::accounts::write_account;
use super::{Act, ControlStore, StoreError, found, holds, in_transaction, is_unique_violation, parsed, reading, record_act, writing};
use crate::control::account::Account;
use crate::control::people::{Membership, Role, User, UserStatus};

const TABLE: &str = "control_users";
const INSERT: &str = "INSERT INTO control_users (id, account_id, email, name, role, password_hash, status, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_IDENTITY: &str = "INSERT INTO control_identities (provider, subject, user_id, created_at) VALUES ($1, $2, $3, $4)";
/// What `control_identities` calls Google.
pub const GOOGLE: &str = "google";

#[derive(FromRow)]
struct UserRow {
    id: String,
    account_id: String,
    email: String,
    name: String,
    role: String,
    password_hash: Option<String>,
    status: String,
    created_at: i64,
    last_sign_in_at: Option<i64>,
    google_id: Option<String>,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, |text| text.parse().ok())?,
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            email: row.email,
            name: row.name,
            is_platform_admin: row.role == "admin",
            status: parsed(TABLE, "status", &row.status, UserStatus::parse)?,
            password_hash: row.password_hash,
            google_id: row.google_id,
            created_at: Timestamp::from_micros(row.created_at),
            last_sign_in_at: row.last_sign_in_at.map(Timestamp::from_micros),
        })
    }
}

/// `SELECT` of whole people, with what follows.
macro_rules! select_users {
    ($rest:literal) => {
        concat!(
            "SELECT person.id, person.account_id, person.email, person.name, person.role, person.password_hash, person.status, ",
            "person.created_at, person.last_sign_in_at, google.subject AS google_id FROM control_users person ",
            "LEFT JOIN control_identities google ON google.user_id = person.id AND google.provider = 'google' ",
            $rest
        )
    };
}

const fn platform_role(is_platform_admin: bool) -> &'static str {
    if is_platform_admin { "admin" } else { "member" }
}

/// Writes somebody, and their place in the account they come with, in the transaction of an act.
macro_rules! write_user {
    ($transaction:ident, $act:expr, $user:expr, $role:expr) => {{
        let (user, role): (&User, Role) = ($user, $role);
        let (id, account) = (user.id.uuid().to_string(), user.account_id.uuid().to_string());
        let insert = sqlx::query(INSERT).bind(&id).bind(&account).bind(&user.email).bind(&user.name);
        let insert = insert.bind(platform_role(user.is_platform_admin)).bind(&user.password_hash);
        match insert.bind(user.status.as_str()).bind(user.created_at.micros()).execute(&mut *$transaction).await {
            Ok(_) => {}
            Err(error) if is_unique_violation(&error) => return Err(StoreError::Exists { what: "user", name: user.email.clone() }),
            Err(error) => return Err(error.into()),
        }
        let insert = sqlx::query(super::memberships::INSERT).bind(&account).bind(&id).bind(role.as_str());
        insert.bind($act.at.micros()).execute(&mut *$transaction).await?;
        let membership = Membership { account_id: user.account_id, user_id: user.id, role, created_at: $act.at };
        record_act!($transaction, $act, "user.created", &id, None::<&User>, Some(user));
        record_act!($transaction, $act, "member.added", &account, None::<&Membership>, Some(&membership));
    }};
}

/// Writes whom a provider's subject belongs to, in the transaction of an act.
macro_rules! write_identity {
    ($transaction:ident, $act:expr, $user:expr, $provider:expr, $subject:expr) => {{
        let (id, linked): (String, String) = ($user.uuid().to_string(), $provider.to_owned());
        let insert = sqlx::query(INSERT_IDENTITY).bind(&linked).bind($subject).bind(&id).bind($act.at.micros());
        match insert.execute(&mut *$transaction).await {
            Ok(_) => {}
            Err(error) if is_unique_violation(&error) => return Err(StoreError::Exists { what: "identity", name: linked }),
            Err(error) => return Err(error.into()),
        }
        record_act!($transaction, $act, "identity.linked", &id, None::<&String>, Some(&linked));
    }};
}

impl ControlStore {
    /// Adds an account with its owner, and who that is at an identity provider: all or nothing, so that nobody is left without a
    /// way to sign in, and no account without an owner. [`StoreError::Exists`] where somebody has the address or the subject.
    pub async fn sign_up(&self, act: &Act, account: &Account, owner: &User, identity: Option<(&str, &str)>) -> Result<(), StoreError> {
        in_transaction!(self, transaction => {
            write_account!(transaction, act, account);
            write_user!(transaction, act, owner, Role::Owner);
            if let Some((provider, subject)) = identity {
                write_identity!(transaction, act, owner.id, provider, subject);
            }
        });
        Ok(())
    }

    /// Adds somebody, with their place in the account they come with.
    pub async fn insert_user(&self, act: &Act, user: &User, role: Role) -> Result<(), StoreError> {
        in_transaction!(self, transaction => {
            write_user!(transaction, act, user, role);
        });
        Ok(())
    }

    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        const SELECT: &str = select_users!("WHERE person.id = $1");
        let id = id.uuid().to_string();
        let row: Option<UserRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(id).fetch_optional(pool).await?);
        row.map(User::try_from).transpose()
    }

    /// The person with an address, in its normal form.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        const SELECT: &str = select_users!("WHERE person.email = $1");
        let row: Option<UserRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(email).fetch_optional(pool).await?);
        row.map(User::try_from).transpose()
    }

    /// Whom an identity provider's subject is linked to.
    pub async fn user_by_identity(&self, provider: &str, subject: &str) -> Result<Option<User>, StoreError> {
        const SELECT: &str =
            select_users!("JOIN control_identities known ON known.user_id = person.id WHERE known.provider = $1 AND known.subject = $2");
        let row: Option<UserRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(provider).bind(subject).fetch_optional(pool).await?);
        row.map(User::try_from).transpose()
    }

    /// One page, newest first, of those whose address or name holds a text.
    pub async fn users_page(&self, holding: &str, before: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        const SELECT: &str = select_users!("WHERE $1 IS NULL OR person.id < $1 ORDER BY person.id DESC");
        let before = before.map(|id| id.uuid().to_string());
        let wanted = holding.to_lowercase();
        let is_wanted = |user: &User| holds(&user.email, &wanted) || holds(&user.name, &wanted);
        reading!(self, pool => {
            let mut rows = sqlx::query_as::<_, UserRow>(SELECT).bind(before).fetch(pool);
            found(&mut rows, is_wanted, limit).await
        })
    }

    /// Everybody's name by their id, for who did what.
    pub async fn names_of_users(&self) -> Result<Vec<(UserId, String)>, StoreError> {
        const SELECT: &str = "SELECT id, name FROM control_users";
        let rows: Vec<(String, String)> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        rows.into_iter().map(|(id, name)| Ok((parsed(TABLE, "id", &id, |text| text.parse().ok())?, name))).collect()
    }

    /// The makers of an account's keys by their ids, for names in lists.
    pub async fn user_names(&self, account: AccountId) -> Result<Vec<(UserId, String)>, StoreError> {
        const SELECT: &str = "SELECT DISTINCT person.id, person.name FROM control_users person \
             JOIN control_api_keys made ON made.creator_user_id = person.id WHERE made.account_id = $1";
        let account = account.uuid().to_string();
        let rows: Vec<(String, String)> = reading!(self, pool => sqlx::query_as(SELECT).bind(account).fetch_all(pool).await?);
        rows.into_iter().map(|(id, name)| Ok((parsed(TABLE, "id", &id, |text| text.parse().ok())?, name))).collect()
    }

    /// Reads, changes and writes somebody in one transaction. The last administrator of the platform stays one.
    pub async fn change_user(
        &self,
        act: &Act,
        action: &'static str,
        id: UserId,
        change: impl FnOnce(&mut User) + Send,
    ) -> Result<User, StoreError> {
        const SELECT: &str = select_users!("WHERE person.id = $1");
        const UPDATE: &str =
            "UPDATE control_users SET name = $2, role = $3, password_hash = $4, status = $5, updated_at = $6 WHERE id = $1";
        const OTHER_ADMINS: &str = "SELECT COUNT(*) FROM control_users WHERE role = 'admin' AND status = 'active' AND id <> $1";
        let row_id = id.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let row: Option<UserRow> = sqlx::query_as(SELECT).bind(&row_id).fetch_optional(&mut *transaction).await?;
            let row = row.ok_or_else(|| StoreError::Missing { what: "user", name: id.to_string() })?;
            let before = User::try_from(row)?;
            let mut after = before.clone();
            change(&mut after);
            let administers = |user: &User| user.is_platform_admin && user.status == UserStatus::Active;
            if administers(&before) && !administers(&after) {
                let others: i64 = sqlx::query_scalar(OTHER_ADMINS).bind(&row_id).fetch_one(&mut *transaction).await?;
                if others == 0 {
                    return Err(StoreError::Last("administrator of the platform"));
                }
            }
            let update = sqlx::query(UPDATE).bind(&row_id).bind(&after.name).bind(platform_role(after.is_platform_admin));
            let update = update.bind(&after.password_hash).bind(after.status.as_str()).bind(act.at.micros());
            update.execute(&mut *transaction).await?;
            record_act!(transaction, act, action, &row_id, Some(&before), Some(&after));
            after
        }))
    }

    /// Links a provider's subject to somebody; one subject for a provider and person.
    pub async fn link_identity(&self, act: &Act, user: UserId, provider: &str, subject: &str) -> Result<(), StoreError> {
        in_transaction!(self, transaction => {
            write_identity!(transaction, act, user, provider, subject);
        });
        Ok(())
    }

    /// Remembers when somebody last signed in. No act of administration: nothing is recorded.
    pub async fn note_sign_in(&self, id: UserId, at: Timestamp) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_users SET last_sign_in_at = $2 WHERE id = $1";
        writing!(self, pool => {
            sqlx::query(UPDATE).bind(id.uuid().to_string()).bind(at.micros()).execute(pool).await?;
        });
        Ok(())
    }

    /// Whether anybody administers the platform and could sign in.
    pub async fn has_platform_admin(&self) -> Result<bool, StoreError> {
        const SELECT: &str = "SELECT 1 FROM control_users WHERE role = 'admin' AND status = 'active' AND password_hash IS NOT NULL LIMIT 1";
        Ok(reading!(self, pool => sqlx::query(SELECT).fetch_optional(pool).await?.is_some()))
    }
}
