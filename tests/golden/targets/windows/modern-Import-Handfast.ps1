# Gives a person's certificate to Windows, as that person: .\Import-Handfast.ps1 alice.p12 root.pem
# Written by handfast. It asks for the password that came with the file.
param([Parameter(Mandatory)] [string] $P12, [Parameter(Mandatory)] [string] $Root)
$ErrorActionPreference = "Stop"

# Windows shows the root's fingerprint and asks: compare it with the one that you were told.
Import-Certificate -FilePath $Root -CertStoreLocation Cert:\CurrentUser\Root | Out-Null

# Without -Exportable the key cannot be taken out again through Windows.
$Password = Read-Host -AsSecureString "password of $P12"
Import-PfxCertificate -FilePath $P12 -CertStoreLocation Cert:\CurrentUser\My -Password $Password | Out-Null
Write-Output "done: open https://www.example.org"
