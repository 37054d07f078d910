//! ASKS. The client of Leaf's API: login, credentials, events, users. Never decides what an answer means, and never
//! lets a secret out of an answer.
