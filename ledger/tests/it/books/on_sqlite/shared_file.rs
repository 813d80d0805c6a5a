//! The ledger beside other tables in one file.

use sqlx::Connection as _;

use super::fixture::House;

#[tokio::test]
async fn the_ledger_shares_a_file_with_other_tables() {
    let house = House::new();
    let mut connection = sqlx::SqliteConnection::connect(&format!("{}?mode=rwc", house.url("ledger.db"))).await.unwrap();
    let sql = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL, \
        success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (7, 'of the control store', 0, 1, x'00', 0)").execute(&mut connection).await.unwrap();
    let store = house.ledger().await;
    store.migrate().await.unwrap();
    assert_eq!(store.position().await.unwrap(), 0);
}
