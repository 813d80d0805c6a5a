//! What the store promises about people: themselves, their sessions, invitations, codes, preferences and the journal of acts.

use futures_util::future::join_all;
use gateway::control::account::Account;
use gateway::control::people::{Invitation, Language, Role, SessionRecord, Theme, User, UserPreferences, UserStatus};
use gateway::control::store::{Act, AuditQuery, ClaimedCode, CodeBatch, ControlStore, Fact, GOOGLE, Sessions, SignInState, StoreError};
use gateway::routing::{DataCollection, RoutingPreferences, RoutingStrategy};
use schemas::{AccountId, NanoUsd, Timestamp, UserId};
use uuid::Uuid;

use super::TestDatabase;

struct Fixture {
    store: ControlStore,
    account: AccountId,
    _database: TestDatabase,
}

impl Fixture {
    async fn open() -> Self {
        let database = TestDatabase::make().await;
        let store = ControlStore::open(&database.url()).await.unwrap();
        let account = account(&store, "first").await;
        Self { store, account, _database: database }
    }

    async fn person(&self, name: &str, role: Role) -> User {
        let user = User::new(self.account, format!("{name}@example.com"), name.to_owned(), at(1));
        self.store.insert_user(&act(1), &user, role).await.unwrap();
        user
    }

    async fn roles(&self) -> Vec<(String, Role)> {
        self.store.members(self.account).await.unwrap().into_iter().map(|member| (member.name, member.role)).collect()
    }
}

async fn account(store: &ControlStore, name: &str) -> AccountId {
    let account = Account::new(name.to_owned(), at(1));
    store.insert_account(&act(1), &account).await.unwrap();
    account.id
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn act(seconds: i64) -> Act {
    Act::new("tester", at(seconds))
}

/// What stands for the SHA-256 of something.
fn hash(number: u32) -> String {
    format!("{number:064x}")
}

#[tokio::test]
async fn a_person_comes_back_as_they_were_stored_and_is_found_by_address_and_subject() {
    let fixture = Fixture::open().await;
    let ada = fixture.person("ada", Role::Owner).await;
    assert_eq!(fixture.store.user(ada.id).await.unwrap().unwrap(), ada);
    assert_eq!(fixture.store.user_by_email("ada@example.com").await.unwrap().unwrap().id, ada.id);
    let again = User::new(fixture.account, ada.email.clone(), "other".to_owned(), at(2));
    assert!(matches!(fixture.store.insert_user(&act(2), &again, Role::Member).await, Err(StoreError::Exists { .. })));
    assert!(fixture.store.user(again.id).await.unwrap().is_none(), "a refused one leaves nothing behind");
    fixture.store.link_identity(&act(3), ada.id, GOOGLE, "subject-1").await.unwrap();
    let found = fixture.store.user_by_identity(GOOGLE, "subject-1").await.unwrap().unwrap();
    assert_eq!((found.id, found.google_id.as_deref()), (ada.id, Some("subject-1")));
    assert!(fixture.store.user_by_identity("oidc:other", "subject-1").await.unwrap().is_none());
    let bob = fixture.person("bob", Role::Member).await;
    let taken = fixture.store.link_identity(&act(4), bob.id, GOOGLE, "subject-1").await;
    assert!(matches!(taken, Err(StoreError::Exists { .. })), "a subject is one person's");
    fixture.store.note_sign_in(ada.id, at(9)).await.unwrap();
    assert_eq!(fixture.store.user(ada.id).await.unwrap().unwrap().last_sign_in_at, Some(at(9)));
    let found = fixture.store.users_page("AD", None, 10).await.unwrap();
    assert_eq!(found.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["ada"]);
    assert!(fixture.store.users_page("%", None, 10).await.unwrap().is_empty(), "a text is taken literally");
    let page = fixture.store.users_page("", Some(bob.id), 10).await.unwrap();
    assert_eq!(page.into_iter().map(|user| user.id).collect::<Vec<_>>(), [ada.id]);
}

#[tokio::test]
async fn names_are_found_whatever_the_case_of_their_letters_and_whatever_their_script() {
    let fixture = Fixture::open().await;
    let clinic = account(&fixture.store, "ÄRZTE Zürich").await;
    let zoe = User::new(fixture.account, "zoe@example.com".to_owned(), "Élodie ÖST".to_owned(), at(1));
    fixture.store.insert_user(&act(1), &zoe, Role::Member).await.unwrap();
    for text in ["ÄRZTE", "Ärzte zü", "ärzte", "ZÜRICH"] {
        let found = fixture.store.accounts_holding(text, None, 10).await.unwrap();
        assert_eq!(found.iter().map(|account| account.id).collect::<Vec<_>>(), [clinic], "{text}");
    }
    for text in ["Élodie", "élodie ö", "Öst", "ZOE@"] {
        let found = fixture.store.users_page(text, None, 10).await.unwrap();
        assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [zoe.id], "{text}");
    }
    assert!(fixture.store.accounts_holding("%", None, 10).await.unwrap().is_empty(), "a text is taken literally");
}

#[tokio::test]
async fn a_sign_up_is_whole_or_leaves_nothing_behind() {
    let fixture = Fixture::open().await;
    let newcomer = |name: &str, email: &str| {
        let account = Account::new(name.to_owned(), at(2));
        let owner = User::new(account.id, email.to_owned(), name.to_owned(), at(2));
        (account, owner)
    };
    let (account, owner) = newcomer("eve", "eve@example.com");
    fixture.store.sign_up(&act(2), &account, &owner, Some((GOOGLE, "subject-1"))).await.unwrap();
    assert_eq!(fixture.store.user_by_identity(GOOGLE, "subject-1").await.unwrap().unwrap().id, owner.id);
    assert_eq!(fixture.store.accounts_of(owner.id).await.unwrap()[0].role, Role::Owner);
    let announced = fixture.store.due_announcements().await.unwrap();
    assert!(announced.iter().any(|due| due.account == account.id && due.fact == Fact::AccountOpened));
    let recorded = fixture.store.audit_records(None, 100).await.unwrap().len();
    for (email, subject) in [("eve@example.com", "subject-2"), ("mallory@example.com", "subject-1")] {
        let (account, owner) = newcomer("late", email);
        let late = fixture.store.sign_up(&act(3), &account, &owner, Some((GOOGLE, subject))).await;
        assert!(matches!(late, Err(StoreError::Exists { .. })), "{email}: {late:?}");
        assert!(fixture.store.account(account.id).await.unwrap().is_none(), "{email}");
        assert!(fixture.store.user(owner.id).await.unwrap().is_none(), "{email}");
    }
    assert!(fixture.store.user_by_identity(GOOGLE, "subject-2").await.unwrap().is_none());
    assert_eq!(fixture.store.due_announcements().await.unwrap(), announced);
    assert_eq!(fixture.store.audit_records(None, 100).await.unwrap().len(), recorded);
}

#[tokio::test]
async fn the_last_administrator_of_the_platform_stays_one() {
    let fixture = Fixture::open().await;
    let (ada, bob) = (fixture.person("ada", Role::Owner).await, fixture.person("bob", Role::Owner).await);
    let promote = |user: &mut User| user.is_platform_admin = true;
    let demote = |user: &mut User| user.is_platform_admin = false;
    assert!(!fixture.store.has_platform_admin().await.unwrap());
    fixture.store.change_user(&act(2), "user.changed", ada.id, promote).await.unwrap();
    assert!(!fixture.store.has_platform_admin().await.unwrap(), "without a password nobody could sign in");
    let with_password = |user: &mut User| user.password_hash = Some("$argon2id$x".to_owned());
    fixture.store.change_user(&act(2), "user.changed", ada.id, with_password).await.unwrap();
    assert!(fixture.store.has_platform_admin().await.unwrap());
    let alone = fixture.store.change_user(&act(3), "user.changed", ada.id, demote).await;
    assert!(matches!(alone, Err(StoreError::Last(_))));
    fixture.store.change_user(&act(4), "user.changed", bob.id, promote).await.unwrap();
    let disable = |user: &mut User| user.status = UserStatus::Disabled;
    fixture.store.change_user(&act(5), "user.changed", ada.id, disable).await.unwrap();
    let last = fixture.store.change_user(&act(6), "user.changed", bob.id, demote).await;
    assert!(matches!(last, Err(StoreError::Last(_))), "who is disabled administers nothing");
}

#[tokio::test]
async fn nobody_changes_those_above_them_and_an_account_keeps_an_owner() {
    let fixture = Fixture::open().await;
    let owner = fixture.person("owner", Role::Owner).await;
    let (admin, member) = (fixture.person("admin", Role::Admin).await, fixture.person("member", Role::Member).await);
    let set = async |user: UserId, role, by| fixture.store.set_role(&act(2), fixture.account, user, role, by).await;
    assert!(matches!(set(owner.id, Some(Role::Member), Role::Admin).await, Err(StoreError::Above(_))));
    assert!(matches!(set(member.id, Some(Role::Owner), Role::Admin).await, Err(StoreError::Above(_))));
    assert!(matches!(set(owner.id, None, Role::Owner).await, Err(StoreError::Last(_))));
    assert!(matches!(set(UserId::mint(), None, Role::Owner).await, Err(StoreError::Missing { .. })));
    set(member.id, Some(Role::Finance), Role::Admin).await.unwrap();
    set(admin.id, Some(Role::Owner), Role::Owner).await.unwrap();
    set(owner.id, None, Role::Owner).await.unwrap();
    let expected = [("admin".to_owned(), Role::Owner), ("member".to_owned(), Role::Finance)];
    assert_eq!(fixture.roles().await, expected);
    let theirs = fixture.store.accounts_of(admin.id).await.unwrap();
    assert_eq!((theirs.len(), theirs[0].id, theirs[0].role), (1, fixture.account, Role::Owner));
    assert!(fixture.store.accounts_of(owner.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_owner_who_is_disabled_is_none_that_an_account_keeps() {
    let fixture = Fixture::open().await;
    let (one, two) = (fixture.person("one", Role::Owner).await, fixture.person("two", Role::Owner).await);
    let set = async |user: UserId, role| fixture.store.set_role(&act(3), fixture.account, user, role, Role::Owner).await;
    let become_ = async |status| {
        fixture.store.change_user(&act(2), "user.changed", two.id, move |user: &mut User| user.status = status).await.unwrap()
    };
    become_(UserStatus::Disabled).await;
    assert!(matches!(set(one.id, None).await, Err(StoreError::Last(_))));
    assert!(matches!(set(one.id, Some(Role::Admin)).await, Err(StoreError::Last(_))));
    become_(UserStatus::Active).await;
    set(one.id, None).await.unwrap();
    assert_eq!(fixture.roles().await, [("two".to_owned(), Role::Owner)]);
}

#[tokio::test]
async fn two_owners_who_leave_at_once_leave_one() {
    let fixture = Fixture::open().await;
    let owners = [fixture.person("one", Role::Owner).await, fixture.person("two", Role::Owner).await];
    let leaving = owners.iter().map(|user| {
        let (store, account, id) = (fixture.store.clone(), fixture.account, user.id);
        async move { store.set_role(&act(2), account, id, None, Role::Owner).await.is_ok() }
    });
    let left = join_all(leaving).await;
    assert_eq!(left.iter().filter(|left| **left).count(), 1);
    assert_eq!(fixture.roles().await.len(), 1);
}

fn session(user: UserId, number: u32, created: i64) -> SessionRecord {
    SessionRecord {
        id: Uuid::now_v7(),
        user_id: user,
        refresh_sha256: hash(number),
        user_agent: "a browser".to_owned(),
        address: "10.0.0.1".to_owned(),
        created_at: at(created),
        last_seen_at: at(created),
        expires_at: at(1_000),
        revoked_at: None,
    }
}

#[tokio::test]
async fn sessions_are_listed_touched_ended_and_forgotten() {
    let fixture = Fixture::open().await;
    let (ada, bob) = (fixture.person("ada", Role::Owner).await, fixture.person("bob", Role::Member).await);
    let (one, two, three) = (session(ada.id, 1, 10), session(ada.id, 2, 20), session(ada.id, 3, 30));
    let bobs = session(bob.id, 4, 40);
    for session in [&one, &two, &three, &bobs] {
        fixture.store.insert_session(session).await.unwrap();
    }
    let good = async |user: UserId, now: i64| {
        let mut ids: Vec<Uuid> = fixture.store.sessions_of(user, at(now)).await.unwrap().into_iter().map(|session| session.id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(fixture.store.session(one.id).await.unwrap().unwrap(), one);
    assert_eq!(fixture.store.session_by_refresh(&hash(2)).await.unwrap().unwrap().id, two.id);
    fixture.store.touch_session(one.id, at(50), "10.0.0.9").await.unwrap();
    fixture.store.touch_session(one.id, at(45), "10.0.0.8").await.unwrap();
    let touched = fixture.store.session(one.id).await.unwrap().unwrap();
    assert_eq!((touched.last_seen_at, touched.address.as_str()), (at(50), "10.0.0.9"), "it never goes back");
    let revoke = async |which| fixture.store.revoke_sessions(&act(60), ada.id, which).await.unwrap();
    assert_eq!(revoke(Sessions::One(bobs.id)).await, 0, "nobody ends another's");
    assert_eq!(revoke(Sessions::One(two.id)).await, 1);
    assert_eq!(good(ada.id, 60).await, [one.id, three.id]);
    assert_eq!(revoke(Sessions::AllBut(three.id)).await, 1);
    assert_eq!(good(ada.id, 60).await, [three.id]);
    assert!(good(ada.id, 1_000).await.is_empty(), "one that ran out is not good");
    assert_eq!(revoke(Sessions::All).await, 1);
    assert_eq!(good(bob.id, 60).await, [bobs.id]);
    fixture.store.forget_sessions(at(1_001)).await.unwrap();
    assert!(fixture.store.session(bobs.id).await.unwrap().is_none());
}

fn invitation(fixture: &Fixture, by: UserId, number: u32) -> Invitation {
    Invitation {
        id: Uuid::now_v7(),
        account_id: fixture.account,
        email: format!("guest{number}@example.com"),
        role: Role::Member,
        token_sha256: hash(number),
        invited_by: by,
        created_at: at(10),
        expires_at: at(100),
        accepted_at: None,
        revoked_at: None,
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_once_while_it_is_open() {
    let fixture = Fixture::open().await;
    let owner = fixture.person("owner", Role::Owner).await;
    let invitations = [1, 2, 3].map(|number| invitation(&fixture, owner.id, number));
    for invitation in &invitations {
        fixture.store.insert_invitation(&act(10), invitation).await.unwrap();
    }
    let [first, second, third] = &invitations;
    assert_eq!(fixture.store.invitations(fixture.account, at(50)).await.unwrap().len(), 3);
    assert!(fixture.store.invitations(fixture.account, at(100)).await.unwrap().is_empty());
    assert_eq!(fixture.store.invitation_by_token(&hash(1)).await.unwrap().unwrap(), *first);
    let elsewhere = account(&fixture.store, "elsewhere").await;
    assert!(fixture.store.revoke_invitation(&act(20), elsewhere, second.id).await.is_err(), "another account's");
    fixture.store.revoke_invitation(&act(20), fixture.account, second.id).await.unwrap();
    let guest = |number: u32| User::new(fixture.account, format!("guest{number}@example.com"), format!("guest{number}"), at(30));
    let people: Vec<User> = (0..20).map(|_| guest(1)).collect();
    let accepting = people.iter().map(|person| {
        let store = fixture.store.clone();
        async move { store.accept_invitation(&act(30), first, person.id, Some(person)).await.is_ok() }
    });
    assert_eq!(join_all(accepting).await.iter().filter(|accepted| **accepted).count(), 1, "of twenty at once one is in");
    let late = guest(3);
    for (refused, seconds) in [(second, 30), (third, 100)] {
        let answer = fixture.store.accept_invitation(&act(seconds), refused, late.id, Some(&late)).await;
        assert!(matches!(answer, Err(StoreError::Missing { .. })));
    }
    assert!(fixture.store.user(late.id).await.unwrap().is_none());
    assert_eq!(fixture.roles().await.len(), 2);
    // Somebody who is in already keeps their role, and the invitation is open to whom it is for.
    let answer = fixture.store.accept_invitation(&act(40), third, owner.id, None).await;
    assert!(matches!(answer, Err(StoreError::Exists { what: "member", .. })), "{answer:?}");
    assert!(fixture.roles().await.contains(&("owner".to_owned(), Role::Owner)));
    fixture.store.accept_invitation(&act(40), third, late.id, Some(&late)).await.unwrap();
    assert_eq!(fixture.roles().await.len(), 3);
}

fn batch(count: u32, expires_at: Option<Timestamp>) -> CodeBatch {
    CodeBatch {
        id: Uuid::now_v7(),
        amount: NanoUsd::from_usd(5),
        count,
        redeemed: 0,
        note: "for tests".to_owned(),
        expires_at,
        created_by: "tester".to_owned(),
        created_at: at(10),
        voided_at: None,
    }
}

#[tokio::test]
async fn of_twenty_accounts_that_claim_a_code_at_once_one_has_it() {
    let fixture = Fixture::open().await;
    let user = fixture.person("ada", Role::Owner).await.id;
    let made = batch(2, Some(at(100)));
    let codes = [(hash(1), "AAAA".to_owned()), (hash(2), "BBBB".to_owned())];
    fixture.store.insert_codes(&act(10), &made, &codes).await.unwrap();
    let mut accounts = Vec::new();
    for number in 0..20 {
        accounts.push(account(&fixture.store, &format!("a{number}")).await);
    }
    let claims = accounts.iter().map(|account| {
        let store = fixture.store.clone();
        async move { (*account, store.claim_code(&act(20), &hash(1), *account, user).await.unwrap()) }
    });
    let claimed = join_all(claims).await;
    let theirs = ClaimedCode::Theirs { amount: NanoUsd::from_usd(5), label: "AAAA".to_owned() };
    let winners: Vec<AccountId> = claimed.iter().filter(|(_, claim)| *claim == theirs).map(|(account, _)| *account).collect();
    assert_eq!(winners.len(), 1);
    assert!(claimed.iter().all(|(_, claim)| *claim == theirs || *claim == ClaimedCode::Used));
    let claim = async |number: u32, seconds: i64| fixture.store.claim_code(&act(seconds), &hash(number), winners[0], user).await.unwrap();
    assert_eq!(claim(1, 30).await, theirs, "it is theirs to repeat until it is booked");
    let booking = (0..20).map(|_| fixture.store.clone()).map(|store| async move { store.code_booked(&hash(1), at(40)).await.unwrap() });
    assert_eq!(join_all(booking).await.iter().filter(|first| **first).count(), 1);
    assert_eq!(claim(1, 50).await, ClaimedCode::Used);
    assert_eq!(claim(3, 50).await, ClaimedCode::Unknown);
    assert_eq!(claim(2, 100).await, ClaimedCode::Expired);
    let batches = fixture.store.code_batches(None, 10).await.unwrap();
    assert_eq!((batches[0].redeemed, batches[0].count), (1, 2));
    let later = CodeBatch { id: Uuid::now_v7(), count: 1, ..batches[0].clone() };
    fixture.store.insert_codes(&act(55), &later, &[(hash(9), "IIII".to_owned())]).await.unwrap();
    let ids = async |before| fixture.store.code_batches(before, 1).await.unwrap().iter().map(|batch| batch.id).collect::<Vec<_>>();
    assert_eq!((ids(None).await, ids(Some(later.id)).await, ids(Some(made.id)).await), (vec![later.id], vec![made.id], vec![]));
    fixture.store.void_codes(&act(60), made.id).await.unwrap();
    assert!(fixture.store.void_codes(&act(61), made.id).await.is_err());
    assert_eq!(claim(2, 70).await, ClaimedCode::Expired, "a voided one");
    let listed = fixture.store.codes(made.id).await.unwrap();
    assert_eq!(listed.iter().map(|code| code.account_id).collect::<Vec<_>>(), [Some(winners[0]), None]);
}

#[tokio::test]
async fn preferences_are_kept_and_taken_back() {
    let fixture = Fixture::open().await;
    let ada = fixture.person("ada", Role::Owner).await.id;
    assert_eq!(fixture.store.user_preferences(ada).await.unwrap(), UserPreferences::default());
    let routing = RoutingPreferences {
        default_model: Some("acme/model-1".to_owned()),
        routing_strategy: Some(RoutingStrategy::LowestCost),
        data_collection: Some(DataCollection::Deny),
        zdr: Some(true),
    };
    let wanted = UserPreferences { theme: Some(Theme::Dark), language: Some(Language::Chinese), routing: routing.clone() };
    let set = wanted.clone();
    fixture.store.change_user_preferences(&act(2), ada, move |preferences| *preferences = set).await.unwrap();
    assert_eq!(fixture.store.user_preferences(ada).await.unwrap(), wanted);
    assert_eq!(fixture.store.all_user_preferences().await.unwrap(), [(ada, wanted)]);
    fixture.store.change_user_preferences(&act(3), ada, |preferences| *preferences = UserPreferences::default()).await.unwrap();
    assert_eq!(fixture.store.user_preferences(ada).await.unwrap(), UserPreferences::default());
    let set = routing.clone();
    fixture.store.change_account_preferences(&act(4), fixture.account, move |preferences| *preferences = set).await.unwrap();
    assert_eq!(fixture.store.all_account_preferences().await.unwrap(), [(fixture.account, routing)]);
    let records = fixture.store.audit_records(Some(&fixture.account.uuid().to_string()), 1).await.unwrap();
    assert_eq!(records[0].action, "preferences.changed");
}

#[tokio::test]
async fn a_state_of_a_sign_in_is_taken_once() {
    let fixture = Fixture::open().await;
    let ada = fixture.person("ada", Role::Owner).await.id;
    let state = SignInState {
        state_sha256: hash(1),
        browser_sha256: hash(2),
        provider: GOOGLE.to_owned(),
        nonce: "nonce".to_owned(),
        verifier: "verifier".to_owned(),
        return_to: "/".to_owned(),
        link_user_id: Some(ada),
        expires_at: at(100),
    };
    fixture.store.insert_sign_in_state(&state, at(10)).await.unwrap();
    let taking = (0..20).map(|_| fixture.store.clone()).map(|store| async move { store.take_sign_in_state(&hash(1)).await.unwrap() });
    let taken: Vec<SignInState> = join_all(taking).await.into_iter().flatten().collect();
    assert_eq!(taken, [state]);
}

#[tokio::test]
async fn the_journal_of_acts_is_paged_newest_first_by_subject_and_actor() {
    let fixture = Fixture::open().await;
    let ada = fixture.person("ada", Role::Owner).await;
    for number in 0..3 {
        let act = Act::new(if number == 1 { "other" } else { "tester" }, at(10 + number));
        let rename = move |user: &mut User| user.name = format!("ada {number}");
        fixture.store.change_user(&act, "user.changed", ada.id, rename).await.unwrap();
    }
    let subject = ada.id.uuid().to_string();
    let query = AuditQuery { subject: Some(&subject), limit: 2, ..AuditQuery::default() };
    let first = fixture.store.audit_page(query).await.unwrap();
    let last = Uuid::parse_str(&first[1].id).unwrap();
    let rest = fixture.store.audit_page(AuditQuery { before: Some(last), limit: 10, ..query }).await.unwrap();
    let seen: Vec<(i64, &str)> = first.iter().chain(&rest).map(|record| (record.at.micros() / 1_000_000, record.action.as_str())).collect();
    assert_eq!(seen, [(12, "user.changed"), (11, "user.changed"), (10, "user.changed"), (1, "user.created")]);
    let others = fixture.store.audit_page(AuditQuery { actor: Some("other"), limit: 10, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(others.len(), 1);
    assert!(others[0].before.as_ref().unwrap().get().contains("ada 0") && others[0].after.as_ref().unwrap().get().contains("ada 1"));
}
