"""Everything with a credential: users and teams, relays, bounce mailboxes, signing keys."""

from accounts.models.bounce_mailbox import BounceMailbox, Leaving
from accounts.models.oauth_login import OAuthFlow, OAuthLogin, OAuthProvider
from accounts.models.relay import LimitWindow, Relay, RelayKind, RelayLimit, TlsMode
from accounts.models.sign_in import SignInFailure
from accounts.models.signing_key import Algorithm, SigningKey
from accounts.models.team import Membership, Right, Role, Team, rights_of
from accounts.models.user import User

__all__ = [
    "Algorithm",
    "BounceMailbox",
    "Leaving",
    "LimitWindow",
    "Membership",
    "OAuthFlow",
    "OAuthLogin",
    "OAuthProvider",
    "Relay",
    "RelayKind",
    "RelayLimit",
    "Right",
    "Role",
    "SignInFailure",
    "SigningKey",
    "Team",
    "TlsMode",
    "User",
    "rights_of",
]
