//! What `serve` tells whoever started it: where to go, a key to use, a first request.

use std::collections::BTreeMap;
use std::io::Write;

use gateway::control::bootstrap::{BootstrapOptions, FirstAdministrator, bootstrap, first_administrator, initial_credit, new_printed_key};
use gateway::control::catalog::Catalog;
use gateway::control::credits::CreditError;
use gateway::control::secrets::Secret;
use gateway::dashboard::Dashboard;
use schemas::Timestamp;

use crate::config::Config;
use crate::serve::ServeError;

/// Keys that were made for this start. They are shown once and kept nowhere.
pub struct Welcome {
    inference_key: Option<Secret>,
    management_key: Option<Secret>,
    administrator: Option<FirstAdministrator>,
}

impl Welcome {
    /// Makes what a first start needs, and a new key when one was asked for.
    pub async fn prepare(config: &Config, dashboard: &Dashboard, new_key: bool) -> Result<Self, ServeError> {
        let (now, services) = (Timestamp::now(), &dashboard.services);
        let options = BootstrapOptions {
            account_name: config.bootstrap.account_name.clone(),
            management_key: config.bootstrap.management_key.clone(),
        };
        let made = bootstrap(&services.control, &options, now).await?;
        let (passwords, bootstrap) = (&dashboard.sign_in.passwords, &config.bootstrap);
        let administrator =
            first_administrator(&services.control, passwords, &bootstrap.admin_email, bootstrap.admin_password.as_ref(), now).await?;
        services.announce().await;
        if let Some(made) = &made
            && !config.bootstrap.credit.0.is_zero()
        {
            match initial_credit(&services.credits, made.account_id, config.bootstrap.credit.0, now).await {
                // It is on its way: a ledger in another process books it when it comes up.
                Err(CreditError::Undecided { .. }) => {
                    tracing::warn!("the first account's credit is not booked yet; the ledger has still to read it")
                }
                ordered => ordered?,
            }
        }
        let (first_key, management_key) = made.map_or((None, None), |made| (Some(made.inference_key), made.management_key));
        let inference_key = match first_key {
            Some(key) => Some(key),
            None if new_key => new_printed_key(&services.control, now).await?,
            None => None,
        };
        Ok(Self { inference_key, management_key, administrator })
    }

    /// The same for a command that prints for itself: what a first start made, by what it is for.
    pub fn credentials(&self) -> BTreeMap<&'static str, String> {
        let mut credentials = BTreeMap::new();
        if let Some(FirstAdministrator { email, password: Some(password) }) = &self.administrator {
            credentials.insert("sign_in", format!("{email} / {}", password.expose()));
        }
        for (what, key) in [("api_key", &self.inference_key), ("management_key", &self.management_key)] {
            credentials.extend(key.as_ref().map(|key| (what, key.expose().to_owned())));
        }
        credentials
    }

    /// Prints to standard output; what cannot be printed is no reason not to serve.
    pub fn print(&self, public_url: &str, catalog: &Catalog) {
        let mut text = format!("\nTollgate is ready.\n\n  Dashboard  {public_url}\n  API        {public_url}/api/v1\n");
        if let Some(FirstAdministrator { email, password }) = &self.administrator {
            let shown = password.as_ref().map_or("the configured password", Secret::expose);
            let once = if password.is_some() { "   (shown once)" } else { "" };
            text.push_str(&format!("  Sign in    {email}  /  {shown}{once}\n"));
        }
        let key = match &self.inference_key {
            Some(key) => {
                text.push_str(&format!("  API key    {}   (shown once)\n", key.expose()));
                key.expose()
            }
            None => {
                text.push_str("  API key    made at the first start; for another: tollgate keys create --account ID --name NAME\n");
                "$TOLLGATE_API_KEY"
            }
        };
        if let Some(key) = &self.management_key {
            text.push_str(&format!("  Admin key  {}   (shown once)\n", key.expose()));
        }
        // One that costs something, so that there is a bill to look at.
        let answering = || catalog.models().iter().filter(|model| !model.embeds());
        let model = answering().find(|model| !model.is_free()).or_else(|| answering().next());
        if let Some(model) = model {
            text.push_str(&format!(
                "\nFirst request:\n\n  curl {public_url}/api/v1/chat/completions \\\n    -H \"Authorization: Bearer {key}\" \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'\n",
                model.id
            ));
        }
        text.push('\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
