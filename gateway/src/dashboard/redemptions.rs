//! Turning a code into credit: claimed in the control store by one account, booked in the ledger once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::address::ClientAddress;
use super::money::UsdText;
use super::{Dashboard, Member};
use crate::control::codes::normal_code;
use crate::control::credits::{CreditKind, CreditOrder};
use crate::control::people::token_sha256;
use crate::control::store::ClaimedCode;
use crate::http::envelope::{Data, JsonBody, created};
use crate::http::error::{ApiError, ErrorType};
use crate::signin::SignedIn;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    code: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Redeemed {
    #[schema(value_type = String)]
    amount: UsdText,
    /// Of the account, the credit included.
    #[schema(value_type = String)]
    balance: UsdText,
    transaction_id: String,
}

/// Redeems a code: one account, once.
#[utoipa::path(post, path = "/api/app/accounts/{account}/redemptions", tag = "money", params(("account" = String, Path)),
    request_body = Redeem, responses((status = 201, body = Data<Redeemed>), (status = 404), (status = 409), (status = 410), (status = 429)))]
pub async fn redeem_code(
    State(dashboard): State<Arc<Dashboard>>,
    ClientAddress(address): ClientAddress,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<Redeem>,
) -> Result<Response, ApiError> {
    dashboard.sign_in.take_redemption(member.account_id)?;
    dashboard.sign_in.take_address(address)?;
    let unknown = || ApiError::not_found("There is no such code. Check that it was copied whole.").with_param("code");
    let code = normal_code(&body.code).ok_or_else(unknown)?;
    let code_sha256 = token_sha256(&code);
    let (services, act) = (&dashboard.services, signed_in.act());
    let claimed = services.control.store().claim_code(&act, &code_sha256, member.account_id, signed_in.user.id).await?;
    let used = || ApiError::conflict("This code was used already.").with_param("code");
    let (amount, label) = match claimed {
        ClaimedCode::Unknown => return Err(unknown()),
        ClaimedCode::Used => return Err(used()),
        ClaimedCode::Expired => {
            let error = ApiError::new(ErrorType::NotFound, "This code has expired or was withdrawn.").with_status(StatusCode::GONE);
            return Err(error.with_param("code"));
        }
        ClaimedCode::Theirs { amount, label } => (amount, label),
    };
    dashboard.sign_in.redemption_was_right(member.account_id, address);
    let order = CreditOrder {
        account_id: member.account_id,
        kind: CreditKind::Grant,
        amount,
        idempotency_key: format!("code-{code_sha256}"),
        reason: Some("redemption code".to_owned()),
        reference: Some(format!("code …{label}")),
        expires_at: None,
        request_id: None,
        actor: signed_in.user.id.to_string(),
    };
    // Repeating is safe: an order that was cut short is still this account's to repeat, and is booked once.
    let booked = services.credits.order(&order, signed_in.now).await?;
    if !services.control.store().code_booked(&code_sha256, signed_in.now).await? {
        return Err(used());
    }
    let transaction = booked.transaction;
    Ok(created(Redeemed {
        amount: UsdText(transaction.amount),
        balance: UsdText(transaction.balance_after),
        transaction_id: transaction.id,
    }))
}
