//! The first start.

use gateway::control::bootstrap::{BootstrapOptions, bootstrap, first_administrator};
use gateway::control::people::{Passwords, Role};
use gateway::control::secrets::Secret;
use gateway::control::store::Act;
use gateway::control::{Control, ControlError};
use schemas::Timestamp;

use crate::books::open_control;

async fn fresh() -> (tempfile::TempDir, Control) {
    let folder = tempfile::tempdir().unwrap();
    let control = open_control(&format!("sqlite://{}", folder.path().join("tollgate.db").display())).await;
    (folder, control)
}

fn fixed(key: &str) -> BootstrapOptions {
    BootstrapOptions { management_key: Some(Secret::new(key)), ..BootstrapOptions::default() }
}

#[tokio::test]
async fn the_first_start_makes_an_account_and_two_keys_once() {
    let (_folder, control) = fresh().await;
    let made = bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap().unwrap();
    let catalog = control.catalog_full();
    let management = catalog.authenticate(made.management_key.unwrap().expose(), Timestamp::now()).unwrap();
    assert!(management.is_management());
    let inference = catalog.authenticate(made.inference_key.expose(), Timestamp::now()).unwrap();
    assert!(!inference.is_management());
    assert_eq!(inference.account_id(), made.account_id);
    assert_eq!(catalog.account(made.account_id).unwrap().name, "default");

    assert!(bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap().is_none());
    assert_eq!(control.store().keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_first_start_that_was_cut_short_is_done_again_with_the_same_account() {
    let (_folder, control) = fresh().await;
    let account = control.create_account(&Act::new("bootstrap", Timestamp::now()), "default").await.unwrap();
    let made = bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap().unwrap();
    assert_eq!(made.account_id, account.id);
    assert_eq!(control.store().accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_configured_management_key_works_and_is_not_returned() {
    let (_folder, control) = fresh().await;
    let key = "sk-tg-v1-0123456789abcdef0123456789abcdef";
    let made = bootstrap(&control, &fixed(key), Timestamp::now()).await.unwrap().unwrap();
    assert!(made.management_key.is_none());
    let catalog = control.catalog_full();
    let management = catalog.authenticate(key, Timestamp::now()).unwrap();
    assert!(management.is_management());

    control.delete_key(&Act::new("tester", Timestamp::now()), &management.record.hash).await.unwrap();
    bootstrap(&control, &fixed(key), Timestamp::now()).await.unwrap();
    assert!(control.catalog().authenticate(key, Timestamp::now()).is_err(), "a key that was deleted stays deleted");
}

#[tokio::test]
async fn a_configured_management_key_that_could_be_guessed_is_refused() {
    let (_folder, control) = fresh().await;
    let refused = bootstrap(&control, &fixed("hunter2"), Timestamp::now()).await;
    assert!(matches!(refused, Err(ControlError::Invalid { field, .. }) if field == "bootstrap.management_key"));
}

#[tokio::test]
async fn the_first_administrator_is_made_once_and_told_a_password_once() {
    let (_folder, control) = fresh().await;
    bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap();
    let passwords = Passwords::new().unwrap();
    let make = async |email| first_administrator(&control, &passwords, email, None, Timestamp::now()).await.unwrap();
    let made = make("Admin@Example.com").await.unwrap();
    let user = control.store().user_by_email("admin@example.com").await.unwrap().unwrap();
    assert!(user.is_platform_admin);
    assert!(passwords.verify(&made.password.unwrap(), user.password_hash.as_deref()).await.unwrap());
    assert_eq!(control.store().accounts_of(user.id).await.unwrap()[0].role, Role::Owner);
    assert!(make("other@example.com").await.is_none(), "only the first start makes one");
    assert!(control.store().user_by_email("other@example.com").await.unwrap().is_none());
}
