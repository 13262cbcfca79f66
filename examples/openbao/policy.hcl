# wardend: sign user certificates, and nothing else
path "ssh/sign/adm" {
  capabilities = ["update"]
}
path "ssh/sign/agt" {
  capabilities = ["update"]
}
path "ssh/sign/atm" {
  capabilities = ["update"]
}
path "ssh/sign/platform-steward" {
  capabilities = ["update"]
}
