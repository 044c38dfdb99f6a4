# dns
