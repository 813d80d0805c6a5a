//! Sets the stage through the administration API: channels, accounts with money, keys; finds the models that may be played with.

use hyper::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::cast::{ACCOUNTS, CHANNELS, ModelRole};
use super::{DemoError, is_loopback_url};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::{self, Record};

/// Accounts of a deployment that are looked through for those of an earlier run.
const ACCOUNTS_LOOKED_AT: u32 = 1_000;

/// An account on the stage.
#[derive(Debug)]
pub struct Actor {
    pub id: String,
    pub name: String,
    /// The text of each of its role's keys.
    pub keys: Vec<String>,
    /// Their hashes.
    hashes: Vec<String>,
}

#[derive(Debug)]
pub struct Stage {
    /// In the order of [`ACCOUNTS`].
    pub actors: Vec<Actor>,
    pub models: Vec<String>,
}

#[derive(Deserialize)]
struct ChannelView {
    name: String,
    provider: String,
    base_url: Option<String>,
    status: String,
    models: Vec<ModelView>,
}

#[derive(Deserialize)]
struct ModelView {
    id: String,
    status: String,
}

impl ChannelView {
    /// Nobody is paid for what it answers.
    fn is_play(&self) -> bool {
        self.provider == "demo" || self.base_url.as_deref().is_some_and(is_loopback_url)
    }
}

/// Adds the channels of a deployment that is played as a whole.
pub async fn add_channels(client: &Client) -> Result<(), CliError> {
    for (name, provider_name, priority, models) in CHANNELS {
        let models: Vec<Value> = models.iter().map(model_spec).collect();
        let spec = json!({ "name": name, "provider": "demo", "provider_name": provider_name, "priority": priority, "models": models });
        client.call(Method::POST, "/api/v1/admin/channels", Some(spec.to_string())).await?;
    }
    Ok(())
}

fn model_spec(role: &ModelRole) -> Value {
    let (prompt, completion) = role.price;
    let description = "An invented model of the played week, answered by the built-in demo provider.";
    json!({
        "id": role.id, "upstream": role.upstream, "name": role.name, "description": description, "context_length": 128_000,
        "max_completion_tokens": 8_192, "price": { "prompt": prompt, "completion": completion },
    })
}

impl Stage {
    /// Finds the models; makes the accounts that are missing, credits them and gives them new keys.
    pub async fn set(client: &Client, plays_first_account: bool, run: &str) -> Result<Self, CliError> {
        let models = models(client).await?;
        let known = accounts(client).await?;
        let mut actors = Vec::new();
        for role in &ACCOUNTS {
            let name = role.name.unwrap_or("Demo Default");
            let id = match (role.name, known.first()) {
                // The oldest account is the deployment's own, with money that may be real.
                (None, Some((id, _))) if plays_first_account => id.clone(),
                _ => match known.iter().find(|(_, known)| known == name) {
                    Some((id, _)) => id.clone(),
                    None => text(&post(client, "/api/v1/admin/accounts", &json!({ "name": name })).await?, "id"),
                },
            };
            let order = json!({ "kind": "topup", "amount": role.credit, "reason": "demo traffic", "idempotency_key": format!("demo-traffic-{run}") });
            post(client, &format!("/api/v1/admin/accounts/{id}/credits"), &order).await?;
            let (mut keys, mut hashes) = (Vec::new(), Vec::new());
            for key in role.keys {
                let made = post(client, "/api/v1/keys", &json!({ "name": key, "account_id": id })).await?;
                keys.push(text(&made, "key"));
                hashes.push(text(&made, "hash"));
            }
            actors.push(Actor { id, name: name.to_owned(), keys, hashes });
        }
        Ok(Self { actors, models })
    }

    /// Nobody has the keys any more; they stay in the lists with what they spent.
    pub async fn strike(&self, client: &Client) -> Result<(), CliError> {
        for hash in self.actors.iter().flat_map(|actor| &actor.hashes) {
            client.call(Method::PATCH, &format!("/api/v1/keys/{hash}"), Some(json!({ "disabled": true }).to_string())).await?;
        }
        Ok(())
    }
}

/// Models that only channels of play offer, in the order of their names.
async fn models(client: &Client) -> Result<Vec<String>, CliError> {
    let answer = client.call(Method::GET, "/api/v1/admin/channels", None).await?;
    let data = output::data(&answer)?;
    let channels: Vec<ChannelView> = output::parse(&data)?;
    let offered = |channels: Vec<&ChannelView>| -> Vec<String> {
        let enabled = channels.into_iter().filter(|channel| channel.status == "enabled");
        enabled.flat_map(|channel| &channel.models).filter(|model| model.status == "enabled").map(|model| model.id.clone()).collect()
    };
    let (play, earnest): (Vec<_>, Vec<_>) = channels.iter().partition(|channel| channel.is_play());
    let names: Vec<String> = earnest.iter().map(|channel| channel.name.clone()).collect();
    let (mut models, earnest) = (offered(play), offered(earnest));
    models.retain(|model| !earnest.contains(model));
    models.sort();
    models.dedup();
    if models.is_empty() { Err(DemoError::NothingToPlayWith { channels: names.join(", ") }.into()) } else { Ok(models) }
}

/// Ids and names, oldest first.
async fn accounts(client: &Client) -> Result<Vec<(String, String)>, CliError> {
    let answer = client.call(Method::GET, &format!("/api/v1/admin/accounts?limit={ACCOUNTS_LOOKED_AT}"), None).await?;
    let (items, _) = output::page(&answer)?;
    let records: Vec<Record> = items.iter().map(|item| output::parse(item)).collect::<Result<_, _>>()?;
    Ok(records.iter().map(|record| (output::cell(record, "id"), output::cell(record, "name"))).collect())
}

async fn post(client: &Client, path: &str, body: &Value) -> Result<Box<RawValue>, CliError> {
    output::data(&client.call(Method::POST, path, Some(body.to_string())).await?)
}

fn text(item: &RawValue, field: &str) -> String {
    output::parse::<Record>(item).map(|record| output::cell(&record, field)).unwrap_or_default()
}
